#include "apps/images/video.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>
#include <random>
#include <set>

#include "apps/images/clips.h"
#include "apps/images/folder.h"
#include "apps/images/loader.h"
#include "apps/images/video_file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

std::filesystem::path cut(const std::filesystem::path& path, double part) {
  std::filesystem::resize_file(
      path, static_cast<uintmax_t>(static_cast<double>(std::filesystem::file_size(path)) * part));
  return path;
}

std::vector<int64_t> frames_of(VideoSource& source) {
  std::vector<int64_t> frames;
  for (int64_t i = 0; const auto image = source.read(i); ++i) frames.push_back(frame_shown(*image));
  return frames;
}

double seconds(const VideoSource& source, int64_t time) {
  const TimeBase unit = source.time_base();
  return static_cast<double>(time) * unit.numerator / unit.denominator;
}

// Big-endian, as QuickTime's family writes.
uint32_t word_at(const std::string& bytes, size_t at) {
  uint32_t word = 0;
  for (size_t i = 0; i < 4; ++i) word = word << 8 | static_cast<uint8_t>(bytes[at + i]);
  return word;
}

void set_word(std::string& bytes, size_t at, uint32_t word) {
  for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(word >> (24 - 8 * i));
}

std::string refusal(const std::filesystem::path& path, ErrorKind kind) {
  try {
    VideoSource(path, 1);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind);
    return e.what();
  }
  ADD_FAILURE() << path << " was opened";
  return {};
}

TEST(VideoSource, GivesEveryNthFrameInOrder) {
  const TemporaryFolder folder;
  const auto path = write_clip(folder.path() / "a:b c.avi");
  for (const int64_t every : {1, 7, 55, 56, 1000}) {
    VideoSource source(path, every);
    EXPECT_EQ(source.expected(), (kFrames + every - 1) / every);
    EXPECT_EQ(source.name(2), fmt::format("{}#{}", path.string(), 2 * every));
    std::vector<int64_t> expected;
    for (int64_t i = 0; i < kFrames; i += every) expected.push_back(i);
    EXPECT_EQ(frames_of(source), expected);
    EXPECT_EQ(source.problem(), "");
    EXPECT_EQ(seconds(source, source.end()), double{kFrames} / kRate);
    EXPECT_FALSE(source.read(kFrames));
  }
}

TEST(VideoSource, GoesThroughALoaderOfAnyNumberOfThreads) {
  const TemporaryFolder folder;
  const auto path = write_clip(folder.path() / "a.avi");
  for (const int threads : {1, 2, 7}) {
    VideoSource source(path, 1);
    ImageLoader loader(source, {.height = 8, .width = 6},
                       {.batch = 8, .threads = threads, .keep_images = true});
    int64_t next = 0;
    while (std::optional<Batch> batch = loader.next())
      for (size_t row = 0; row < batch->indices.size(); ++row, ++next) {
        EXPECT_EQ(batch->indices[row], next);
        EXPECT_EQ(frame_shown(batch->images[row]), next);
        EXPECT_EQ(batch->images[row].width, 64);
      }
    EXPECT_EQ(next, kFrames);
  }
}

TEST(VideoSource, CanBeAbandonedHalfway) {
  const TemporaryFolder folder;
  const auto path = write_clip(folder.path() / "a.avi");
  for (int taken = 0; taken < 3; ++taken) {
    VideoSource source(path, 1);
    ImageLoader loader(source, {.height = 8, .width = 6}, {.batch = 2, .threads = 5});
    for (int i = 0; i < taken; ++i) EXPECT_TRUE(loader.next());
  }
}

TEST(VideoSource, GivesWhatABrokenTailLeft) {
  const TemporaryFolder folder;
  const auto path = cut(write_clip(folder.path() / "a.avi"), 0.6);
  VideoSource source(path, 1);
  const std::vector<int64_t> frames = frames_of(source);
  ASSERT_GT(frames.size(), 10u);
  ASSERT_LT(frames.size(), 50u);
  for (size_t i = 0; i < frames.size(); ++i) EXPECT_EQ(frames[i], i);
  EXPECT_EQ(source.problem(), fmt::format("{}: breaks off after frame {}", path.string(), frames.size() - 1));
}

TEST(VideoSource, SaysWhatIsNoVideo) {
  const TemporaryFolder folder;
  EXPECT_THAT(refusal(folder.path() / "nowhere.avi", ErrorKind::File), testing::HasSubstr("nowhere.avi"));
  write_clip(folder.path() / "other.avi");
  const char* const playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:6,\nother.avi\n#EXT-X-ENDLIST\n";
  for (const char* text : {"", "x", "RIFF....AVI LIST", playlist})
    EXPECT_THAT(refusal(folder.write("bad.avi", text), ErrorKind::Format),
                testing::HasSubstr("bad.avi: no video"));
}

TEST(VideoSource, WithoutAFrameSaysSo) {
  const TemporaryFolder folder;
  const auto path = write_clip(folder.path() / "a.avi");
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::filesystem::resize_file(path,
                               bytes.find("movi") + 40);  // the headers, and the beginning of the first frame
  VideoSource source(path, 1);
  EXPECT_TRUE(frames_of(source).empty());
  EXPECT_EQ(source.problem(), path.string() + ": no video (gives no frame)");
}

// Containers and codecs that FFmpeg itself writes.
constexpr std::pair<const char*, const char*> kKinds[] = {
    {"a.avi", "MJPG"}, {"b.avi", "XVID"}, {"a.mp4", "mp4v"}, {"a.3gp", "mp4v"}, {"a.mkv", "mp4v"},
    {"a.mov", "MJPG"}, {"a.flv", "FLV1"}, {"a.mts", "mp4v"}, {"a.ts", "mpg2"},  {"a.vob", "mpg2"},
    {"a.wmv", "WMV2"}, {"a.mpg", "mpg1"}, {"a.rm", "RV20"},  {"a.nut", "mp4v"}, {"a.mxf", "mpg2"}};

TEST(VideoSource, GivesTheFramesOfOpenCvsPlayer) {
  const TemporaryFolder folder;
  for (const auto& [name, fourcc] : kKinds) {
    constexpr int kFew = 14;
    const auto path = write_clip(folder.path() / name, fourcc, kFew, {96, 64});
    VideoSource source(path, 1);
    cv::VideoCapture player(path.string(), cv::CAP_FFMPEG);
    cv::Mat frame;
    int64_t frames = 0;
    for (; player.read(frame); ++frames) {
      auto image = source.read(frames);
      ASSERT_TRUE(image) << name;
      cv::cvtColor(frame, frame, cv::COLOR_BGR2RGB);
      EXPECT_EQ(
          cv::norm(frame, cv::Mat(image->height, image->width, CV_8UC3, image->rgb.data()), cv::NORM_INF), 0)
          << name;
      EXPECT_NEAR(seconds(source, source.time(frames)), static_cast<double>(frames) / kRate, 0.001) << name;
    }
    EXPECT_EQ(frames, kFew) << name;
    EXPECT_FALSE(source.read(frames)) << name;
    EXPECT_NEAR(seconds(source, source.end()), static_cast<double>(kFew) / kRate, 0.001) << name;
    EXPECT_EQ(source.problem(), "");
  }
}

TEST(VideoSource, SaysWhereATornFileEnds) {
  const TemporaryFolder folder;
  for (const auto& [name, fourcc] : kKinds) {
    const auto path = write_clip(folder.path() / name, fourcc, kFrames, {96, 64});
    const bool index_at_end = std::set<std::string>{".mp4", ".3gp", ".mov"}.contains(path.extension());
    cut(path, 0.6);
    if (index_at_end) {
      EXPECT_THAT(refusal(path, ErrorKind::Format), testing::HasSubstr(": no video (without its index"));
      continue;
    }
    VideoSource source(path, 1);
    const auto frames = static_cast<int64_t>(frames_of(source).size());
    EXPECT_GT(frames, 15) << name;
    EXPECT_LT(frames, kFrames) << name;
    // These may end between two of their own packets, which are no frames.
    if (std::set<std::string>{".ts", ".mts", ".mxf"}.contains(path.extension())) continue;
    EXPECT_THAT(source.problem(), testing::ContainsRegex("(breaks off|is damaged) after frame ")) << name;
  }
}

TEST(VideoSource, MissesNoFrameWhereOnlyTheIndexIsTorn) {
  const TemporaryFolder folder;
  VideoSource source(cut(write_clip(folder.path() / "a.avi"), 0.997), 1);
  EXPECT_EQ(frames_of(source).size(), size_t{kFrames});
  EXPECT_EQ(source.problem(), "");
}

// Both are sound between two frames: nothing but the segment's length and the table of frames tells that
// there were more.
TEST(VideoSource, MissesWhatTheContainerPromises) {
  const TemporaryFolder folder;
  const auto mkv = write_clip(folder.path() / "a.mkv", "mp4v");
  cut(mkv, 0.9);  // amid its last cluster
  VideoSource torn(mkv, 1);
  EXPECT_LT(frames_of(torn).size(), size_t{kFrames});
  EXPECT_THAT(torn.problem(), testing::HasSubstr("breaks off"));

  std::string mov = bytes_of(write_clip(folder.path() / "a.mov"));
  const size_t movie = mov.rfind("moov") - 4, data = mov.find("mdat") - 4;
  std::string head = mov.substr(movie);  // goes before the frames, as for the web
  const size_t table = head.find("stco") + 8;
  for (size_t i = 0; i < word_at(head, table); ++i)
    set_word(head, table + 4 + 4 * i, word_at(head, table + 4 + 4 * i) + static_cast<uint32_t>(head.size()));
  const std::string streamed = mov.substr(0, data) + head + mov.substr(data, movie - data);
  VideoSource whole(write_bytes(folder.path() / "b.mov", streamed), 1);
  EXPECT_EQ(frames_of(whole).size(), size_t{kFrames});
  EXPECT_EQ(whole.problem(), "");
  VideoSource cut_off(cut(folder.path() / "b.mov", 0.8), 1);
  EXPECT_LT(frames_of(cut_off).size(), size_t{kFrames});
  EXPECT_THAT(cut_off.problem(), testing::HasSubstr("breaks off"));
}

TEST(VideoSource, ShowsWhatAnEditListShows) {
  const TemporaryFolder folder;
  std::string bytes = bytes_of(write_clip(folder.path() / "a.mov"));
  const size_t edit = bytes.find("elst") + 12;  // duration, first, rate
  const uint32_t units = word_at(bytes, bytes.find("mdhd") + 16),
                 ticks = word_at(bytes, bytes.find("mvhd") + 16);
  set_word(bytes, edit, 20 * ticks / kRate);
  set_word(bytes, edit + 4, 15 * units / kRate);
  VideoSource source(write_bytes(folder.path() / "trimmed.mov", bytes), 1);
  std::vector<int64_t> expected(20);
  std::iota(expected.begin(), expected.end(), 15);
  EXPECT_EQ(frames_of(source), expected);
  EXPECT_EQ(source.problem(), "");
  EXPECT_EQ(seconds(source, source.end()), 20.0 / kRate);
}

TEST(VideoSource, TurnsUprightAsTheTrackSays) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.mov";
  VideoFile file(path, {1, kRate});
  cv::Mat lying(32, 64, CV_8UC3, cv::Scalar::all(0));
  lying(cv::Rect(0, 0, 16, 16)) = cv::Scalar::all(255);  // top left
  file.add(lying, 0);
  file.commit(1);
  const std::string bytes = bytes_of(path);
  constexpr uint32_t kOne = 0x10000;
  // The matrix's first two rows, and where the corner goes: clockwise, half round, counterclockwise.
  for (const auto& [a, b, c, d, x, y, sideways] : {std::tuple{0U, kOne, -kOne, 0U, 31, 0, true},
                                                   {-kOne, 0U, 0U, -kOne, 63, 31, false},
                                                   {0U, -kOne, kOne, 0U, 0, 63, true}}) {
    std::string turned = bytes;
    const size_t matrix = turned.find("tkhd") + 44;
    for (const auto& [at, value] : {std::pair{0, a}, {4, b}, {12, c}, {16, d}})
      set_word(turned, matrix + static_cast<size_t>(at), value);
    const auto image = VideoSource(write_bytes(path, turned), 1).read(0);
    ASSERT_TRUE(image);
    EXPECT_EQ(image->width, sideways ? 32 : 64);
    EXPECT_EQ(image->height, sideways ? 64 : 32);
    EXPECT_GT(image->rgb[static_cast<size_t>(3 * (y * image->width + x))], 200);
  }
}

TEST(VideoSource, GoesOnBehindDamageAndSaysSo) {
  const TemporaryFolder folder;
  std::string bytes = bytes_of(write_clip(folder.path() / "a.mov"));
  const size_t middle = bytes.find("\xFF\xD8", bytes.size() / 2);  // where a JPEG begins
  bytes.replace(middle, 700, 700, '\0');
  VideoSource source(write_bytes(folder.path() / "b.mov", bytes), 1);
  const std::vector<int64_t> frames = frames_of(source);
  ASSERT_EQ(frames.size(), size_t{kFrames - 1});
  EXPECT_EQ(frames.back(), kFrames - 1);
  EXPECT_THAT(source.problem(), testing::MatchesRegex(".*b.mov: is damaged after frame [0-9]+"));
}

TEST(VideoSource, TakesStreamsThatBeginAnywhereAndAreJoined) {
  const TemporaryFolder folder;
  const std::string bytes = bytes_of(write_clip(folder.path() / "a.ts", "mpg2"));
  const std::string tail = bytes.substr(bytes.size() / 188 / 3 * 188);
  VideoSource begun(write_bytes(folder.path() / "tail.ts", tail), 1);
  EXPECT_GT(frames_of(begun).size(), 20u);
  EXPECT_EQ(begun.problem(), "");

  VideoSource joined(write_bytes(folder.path() / "joined.ts", bytes + bytes), 1);
  EXPECT_EQ(frames_of(joined).size(), size_t{2 * kFrames});
  EXPECT_EQ(joined.problem(), "");
  EXPECT_NEAR(seconds(joined, joined.end()), 2.0 * kFrames / kRate, 0.001);
}

// Reads it to its end or is refused in a sentence; time never stands still.
void judge(const std::filesystem::path& path) {
  try {
    VideoSource source(path, 1);
    int64_t frames = 0;
    for (int64_t before = -1; source.read(frames); before = source.time(frames++))
      EXPECT_GT(source.time(frames), before);
    EXPECT_LT(frames, 100);
    EXPECT_EQ(source.end() > 0, frames > 0);
    EXPECT_EQ(source.problem().find("no video") != std::string::npos, frames == 0);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
  }
}

TEST(VideoSource, SurvivesAlteredFiles) {
  const TemporaryFolder folder;
  std::mt19937 random(1);
  for (const auto& [name, fourcc] :
       {std::pair{"a.avi", "MJPG"}, {"a.mov", "MJPG"}, {"a.mkv", "mp4v"}, {"a.ts", "mpg2"}}) {
    const std::string sound = bytes_of(write_clip(folder.path() / name, fourcc, 5, {32, 32}));
    for (int round = 0; round < 40; ++round) {
      std::string bytes = sound;
      for (uint32_t edits = 1 + random() % 4; edits > 0; --edits)
        bytes[random() % (random() % 2 ? bytes.size() : 400)] = static_cast<char>(random());
      if (random() % 4 == 0) bytes.resize(random() % bytes.size());
      judge(write_bytes(folder.path() / name, bytes));
    }
  }
}

TEST(VideoFile, KeepsSizesAndTimes) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "odd.mov";
  // Milliseconds, film, nanoseconds (kept to a 90,000th of a second), hours.
  for (const auto& [unit, times] : std::vector<std::pair<TimeBase, std::vector<int64_t>>>{
           {{1, 1000}, {0, 33, 66, 500, 501, 2000, 4000}},
           {{1001, 30000}, {0, 1, 2, 30, 40}},
           {{1, 1'000'000'000}, {0, 33'333'333, 33'333'334, 9'000'000'000, 9'100'000'000}},
           {{3600, 1}, {0, 1, 3, 4}}}) {
    VideoFile file(path, unit);
    for (size_t i = 0; i + 1 < times.size(); ++i)
      file.add(frame_of_clip(static_cast<int>(i), {63, 1}), times[i]);
    file.commit(times.back());
    VideoSource source(path, 1);
    const auto expect = [&](int64_t time, size_t i) {
      EXPECT_NEAR(seconds(source, time), static_cast<double>(times[i]) * unit.numerator / unit.denominator,
                  2e-5);
    };
    for (size_t i = 0; i + 1 < times.size(); ++i) {
      const std::optional<Image> image = source.read(static_cast<int64_t>(i));
      ASSERT_TRUE(image);
      EXPECT_EQ(image->width, 63);
      EXPECT_EQ(image->height, 1);
      expect(source.time(static_cast<int64_t>(i)), i);
    }
    EXPECT_FALSE(source.read(static_cast<int64_t>(times.size()) - 1));
    expect(source.end(), times.size() - 1);
  }
}

TEST(VideoFile, IsThereWhenItIsCommitted) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.mov";
  {
    VideoFile file(path, {1, 10});
    file.add(frame_of_clip(2, {64, 48}), 0);
    file.add(frame_of_clip(3, {90, 20}), 1);
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  VideoFile file(path, {1, 10});
  file.add(frame_of_clip(2, {64, 48}), 0);
  file.add(frame_of_clip(3, {90, 20}), 1);  // is brought to the first one's size
  file.commit(2);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  VideoSource source(path, 1);
  EXPECT_THAT(frames_of(source), testing::ElementsAre(2, 3));
  VideoFile nowhere(folder.path() / "no" / "a.mov", {1, 10});
  EXPECT_THROW(nowhere.add(frame_of_clip(0, {64, 48}), 0), Error);
}

}  // namespace
}  // namespace tyto::apps
