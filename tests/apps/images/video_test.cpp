#include "apps/images/video.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include "apps/images/folder.h"
#include "apps/images/loader.h"
#include "apps/images/video_file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

constexpr int kFrames = 60, kStep = 4;

// Frame i is grey, 4 * i.
std::filesystem::path write_video(const std::filesystem::path& path, cv::Size size = {64, 48}) {
  VideoFile file(path, 10);
  for (int i = 0; i < kFrames; ++i) file.add(cv::Mat(size, CV_8UC3, cv::Scalar::all(i * kStep)));
  file.commit();
  return path;
}

std::filesystem::path cut(const std::filesystem::path& path, double part) {
  std::filesystem::resize_file(
      path, static_cast<uintmax_t>(static_cast<double>(std::filesystem::file_size(path)) * part));
  return path;
}

int64_t frame_shown(const Image& image) {
  const double sum = std::accumulate(image.rgb.begin(), image.rgb.end(), 0.0);
  return std::lround(sum / static_cast<double>(image.rgb.size()) / kStep);
}

std::vector<int64_t> frames_of(VideoSource& source) {
  std::vector<int64_t> frames;
  for (int64_t i = 0; const auto image = source.read(i); ++i) frames.push_back(frame_shown(*image));
  return frames;
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
  const auto path = write_video(folder.path() / "a:b c.avi");
  for (const int64_t every : {1, 7, 59, 60, 1000}) {
    VideoSource source(path, every);
    EXPECT_EQ(source.frame_rate(), 10);
    EXPECT_EQ(source.expected(), (kFrames + every - 1) / every);
    EXPECT_EQ(source.name(2), fmt::format("{}#{}", path.string(), 2 * every));
    std::vector<int64_t> expected;
    for (int64_t i = 0; i < kFrames; i += every) expected.push_back(i);
    EXPECT_EQ(frames_of(source), expected);
    EXPECT_EQ(source.broken_off(), "");
    EXPECT_FALSE(source.read(kFrames));
  }
}

TEST(VideoSource, GoesThroughALoaderOfAnyNumberOfThreads) {
  const TemporaryFolder folder;
  const auto path = write_video(folder.path() / "a.avi");
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
  const auto path = write_video(folder.path() / "a.avi");
  for (int taken = 0; taken < 3; ++taken) {
    VideoSource source(path, 1);
    ImageLoader loader(source, {.height = 8, .width = 6}, {.batch = 2, .threads = 5});
    for (int i = 0; i < taken; ++i) EXPECT_TRUE(loader.next());
  }
}

TEST(VideoSource, GivesWhatABrokenTailLeft) {
  const TemporaryFolder folder;
  const auto path = cut(write_video(folder.path() / "a.avi"), 0.6);
  VideoSource source(path, 1);
  const std::vector<int64_t> frames = frames_of(source);
  ASSERT_GT(frames.size(), 10u);
  ASSERT_LT(frames.size(), 50u);
  for (size_t i = 0; i < frames.size(); ++i) EXPECT_EQ(frames[i], i);
  EXPECT_EQ(
      source.broken_off(),
      fmt::format("{}: breaks off after frame {}, {} of the 60 frames that its header promises are missing",
                  path.string(), frames.size() - 1, kFrames - frames.size()));
}

TEST(VideoSource, SaysWhatIsNoVideo) {
  const TemporaryFolder folder;
  EXPECT_THAT(refusal(folder.path() / "nowhere.avi", ErrorKind::File), testing::HasSubstr("nowhere.avi"));
  write_video(folder.path() / "other.avi");
  const char* const playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:6,\nother.avi\n#EXT-X-ENDLIST\n";
  for (const char* text : {"", "x", "RIFF....AVI LIST", playlist})
    EXPECT_THAT(refusal(folder.write("bad.avi", text), ErrorKind::Format),
                testing::HasSubstr("bad.avi: no video"));
}

TEST(VideoSource, WithoutAFrameSaysSo) {
  const TemporaryFolder folder;
  const auto path = write_video(folder.path() / "a.avi");
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::filesystem::resize_file(path,
                               bytes.find("movi") + 40);  // the headers, and the beginning of the first frame
  VideoSource source(path, 1);
  EXPECT_TRUE(frames_of(source).empty());
  EXPECT_EQ(source.broken_off(), path.string() + ": no video (gives no frame)");
}

TEST(VideoFile, KeepsOddSizesByPadding) {
  const TemporaryFolder folder;
  VideoSource source(write_video(folder.path() / "odd.avi", {63, 1}), 1);
  const std::optional<Image> image = source.read(0);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->width, 64);
  EXPECT_EQ(image->height, 2);
}

TEST(VideoFile, IsThereWhenItIsCommitted) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.avi";
  {
    VideoFile file(path, 10);
    file.add(cv::Mat(48, 64, CV_8UC3, cv::Scalar::all(9)));
    file.add(cv::Mat(20, 90, CV_8UC3, cv::Scalar::all(9)));  // is brought to the first one's size
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  write_video(path);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  VideoFile nowhere(folder.path() / "no" / "a.avi", 10);
  EXPECT_THROW(nowhere.add(cv::Mat(48, 64, CV_8UC3, cv::Scalar::all(9))), Error);
}

}  // namespace
}  // namespace tyto::apps
