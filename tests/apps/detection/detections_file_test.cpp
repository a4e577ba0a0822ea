#include "apps/detection/detections_file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "apps/images/folder.h"
#include "files/utf8.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

const ImageDetections kTwo = {
    "images/clip.avi#120",
    768,
    576,
    {{"person", {1, 0.98f, 10.5f, 20, 30.25f, 40}}, {"traffic light", {10, 0.1f, -3, 0, 1e-5f, 7}}}};

ImageDetections round_trip(const ImageDetections& image) {
  return from_json_line(to_json_line(image), "file", 1);
}

std::string message_of(const std::string& line) {
  try {
    from_json_line(line, "some.jsonl", 7);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::Format);
    return e.what();
  }
  ADD_FAILURE() << "read: " << line;
  return {};
}

TEST(DetectionsFile, IsWhatTheContractShows) {
  EXPECT_EQ(to_json_line(kTwo),
            R"({"image": "images/clip.avi#120", "width": 768, "height": 576, "detections": [)"
            R"({"label": "person", "label_id": 1, "score": 0.98, "bbox": [10.5, 20, 30.25, 40]}, )"
            R"({"label": "traffic light", "label_id": 10, "score": 0.1, "bbox": [-3, 0, 1e-05, 7]}]})");
  EXPECT_EQ(to_json_line({"a.png", 1, 1, {}}),
            R"({"image": "a.png", "width": 1, "height": 1, "detections": []})");
}

TEST(DetectionsFile, GivesBackWhatWasWritten) {
  EXPECT_EQ(round_trip(kTwo), kTwo);
  for (const char* name : {"quo\"te.png", "back\\slash.png", "new\nline\tand tab.png", "ä漢字🦉.png", "",
                           "a#1.png", "{\"image\": 1}"})
    EXPECT_EQ(round_trip({name, 3, 4, {{name, {}}}}), (ImageDetections{name, 3, 4, {{name, {}}}}));
}

TEST(DetectionsFile, GivesBackEveryFloat) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    const float f = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (!std::isfinite(f)) continue;
    const ImageDetections image = {"a", 1, 1, {{"b", {0, f, f, -f, f / 3, f}}}};
    ASSERT_EQ(round_trip(image), image) << to_json_line(image);
  }
  for (const float f : {0.0f, std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()})
    EXPECT_EQ(round_trip({"a", 1, 1, {{"b", {0, f, f, f, f, f}}}}).detections[0].detection.x, f);
}

TEST(DetectionsFile, BytesThatAreNoUtf8BecomeReplacementCharacters) {
  const std::string line = to_json_line({"caf\xe9.png", 1, 1, {}});
  EXPECT_TRUE(is_utf8(line));
  EXPECT_EQ(from_json_line(line, "file", 1).image, "caf\xef\xbf\xbd.png");
}

TEST(DetectionsFile, IgnoresMembersThatItDoesNotKnow) {
  EXPECT_EQ(
      from_json_line(R"({"width": 1, "more": [], "height": 2, "image": "a", "detections": []})", "file", 1),
      (ImageDetections{"a", 1, 2, {}}));
}

TEST(DetectionsFile, SaysWhatIsWrongWithALine) {
  const std::string whole = to_json_line(kTwo);
  EXPECT_EQ(message_of(whole.substr(0, whole.size() - 1)),
            "some.jsonl: line 7 is not valid JSON; was the file cut off?");
  for (size_t cut = 0; cut < whole.size(); cut += 3) message_of(whole.substr(0, cut));
  EXPECT_THAT(message_of("[]"), testing::HasSubstr("not a JSON object"));
  EXPECT_THAT(message_of(std::string(100000, '[')), testing::HasSubstr("nested too deeply"));
  EXPECT_THAT(message_of(R"({"image": "a", "width": 1, "detections": []})"),
              testing::HasSubstr("no \"height\""));
  for (const char* width : {"-1", "1.5", "\"1\"", "3000000000", "18446744073709551615", "null"})
    EXPECT_THAT(
        message_of(fmt::format(R"({{"image": "a", "width": {}, "height": 1, "detections": []}})", width)),
        testing::HasSubstr("\"width\""));
  for (const char* box : {"[1, 2, 3]", "[1, 2, 3, \"4\"]", "1", "[1, 2, 3, 4, 5]"})
    EXPECT_THAT(message_of(fmt::format(R"({{"image": "a", "width": 1, "height": 1, "detections": [)"
                                       R"({{"label": "b", "label_id": 1, "score": 1, "bbox": {}}}]}})",
                                       box)),
                testing::HasSubstr("\"bbox\""));
}

TEST(DetectionsFile, ReadsEveryLine) {
  const TemporaryFolder folder;
  const std::string line = to_json_line(kTwo) + '\n';
  EXPECT_EQ(read_detections(folder.write("two.jsonl", line + line)), (std::vector{kTwo, kTwo}));
  EXPECT_TRUE(read_detections(folder.write("none.jsonl", "")).empty());
  EXPECT_THROW(read_detections(folder.write("cut.jsonl", line + line.substr(0, 40))), Error);
  for (const auto& missing : {folder.path() / "nowhere.jsonl", folder.path()}) {
    try {
      read_detections(missing);
      ADD_FAILURE() << missing;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::File);
      EXPECT_THAT(e.what(), testing::HasSubstr(missing.string()));
    }
  }
}

}  // namespace
}  // namespace tyto::apps
