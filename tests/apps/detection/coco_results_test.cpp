#include "apps/detection/coco_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/detection/detections_file.h"
#include "apps/images/folder.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

using nlohmann::json;

CocoAnnotations annotations() {
  CocoAnnotations a;
  a.file = "instances.json";
  a.images = {{5, "val/dog.jpg"}, {9, "cat.jpg"}};
  a.categories = {{17, "cat"}, {18, "dog"}};
  return a;
}

std::string refusal(const std::vector<DetectionInput>& inputs, const CocoAnnotations* truth) {
  try {
    coco_image_ids(inputs, truth);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::Usage);
    return e.what();
  }
  ADD_FAILURE() << "not refused";
  return {};
}

TEST(CocoImageIds, AreTheNumbersInTheNames) {
  const auto ids = coco_image_ids({{"val/000000397133.jpg", false, ""}, {"7.png", false, ""}}, nullptr);
  EXPECT_EQ(ids, (std::map<std::string, CocoId>{{"val/000000397133.jpg", 397133}, {"7.png", 7}}));
  for (const char* name :
       {"dog.jpg", "COCO_val2014_000000397133.jpg", "-3.jpg", "1e3.jpg", "99999999999999999999.jpg"})
    EXPECT_THAT(refusal({{name, false, ""}}, nullptr), testing::HasSubstr("--coco-annotations"));
  EXPECT_THAT(refusal({{"a/7.png", false, ""}, {"b/07.png", false, ""}}, nullptr),
              testing::HasSubstr("both"));
  EXPECT_THAT(refusal({{"7.avi", true, ""}}, nullptr), testing::HasSubstr("7.avi is a video"));
}

TEST(CocoImageIds, ComeFromAnnotationsByTheNameOfTheFile) {
  CocoAnnotations truth = annotations();
  const auto ids = coco_image_ids({{"/data/val/dog.jpg", false, ""}, {"cat.jpg", false, ""}}, &truth);
  EXPECT_EQ(ids, (std::map<std::string, CocoId>{{"/data/val/dog.jpg", 5}, {"cat.jpg", 9}}));
  EXPECT_THAT(refusal({{"fox.jpg", false, ""}}, &truth),
              testing::HasSubstr("instances.json has no image fox.jpg"));
  EXPECT_THAT(refusal({{"a/cat.jpg", false, ""}, {"b/cat.jpg", false, ""}}, &truth),
              testing::HasSubstr("both"));
  truth.images = {{"a5", ""}, {"a9", "cat.jpg"}};
  EXPECT_EQ(coco_image_ids({{"x/a5.png", false, ""}, {"cat.jpg", false, ""}}, &truth),
            (std::map<std::string, CocoId>{{"x/a5.png", "a5"}, {"cat.jpg", "a9"}}));
}

class CocoResults : public testing::Test {
 protected:
  json results(const std::vector<ImageDetections>& images, const CocoAnnotations* truth) {
    std::string lines;
    DetectionTally tally;
    for (const ImageDetections& image : images) {
      lines += to_json_line(image) + '\n';
      tally.add(image);
    }
    const auto path = folder_.path() / "results.json";
    report_ = write_coco_results(path, folder_.write("detections.jsonl", lines), tally,
                                 {{"5.jpg", 5}, {"9.jpg", 9}}, truth);
    return json::parse(std::ifstream(path));
  }

  const TemporaryFolder folder_;
  CocoResultsReport report_;
};

TEST_F(CocoResults, HoldEveryDetection) {
  const json all =
      results({{"5.jpg", 9, 9, {{"cat", {3, 0.5f, 1, 2, 3, 4.25f}}, {"dog", {4, 0.25f, 0, 0, 1, 1}}}},
               {"7.jpg", 9, 9, {{"cat", {3, 0.5f, 1, 2, 3, 4}}}},
               {"9.jpg", 9, 9, {}}},
              nullptr);
  EXPECT_EQ(all, json::parse(R"([{"image_id": 5, "category_id": 3, "bbox": [1, 2, 3, 4.25], "score": 0.5},
                                 {"image_id": 5, "category_id": 4, "bbox": [0, 0, 1, 1], "score": 0.25}])"));
}

TEST_F(CocoResults, AreAnArrayWithoutDetections) {
  EXPECT_EQ(results({{"5.jpg", 9, 9, {}}}, nullptr), json::array());
}

TEST_F(CocoResults, TakeCategoriesByNameAndLeaveOutTheUnknown) {
  const CocoAnnotations truth = annotations();
  const NamedDetection dog = {"dog", {4, 0.5f, 1, 2, 3, 4}}, bird = {"bird", {2, 0.5f, 1, 2, 3, 4}};
  EXPECT_EQ(results({{"5.jpg", 9, 9, {dog}}}, &truth)[0]["category_id"], 18);
  EXPECT_TRUE(report_.unknown_classes.empty());
  const json known = results({{"5.jpg", 9, 9, {bird, dog}}}, &truth);
  ASSERT_EQ(known.size(), 1u);
  EXPECT_EQ(known[0]["category_id"], 18);
  EXPECT_EQ(report_.unknown_classes.missing(), std::vector<std::string>{"bird"});
  EXPECT_FALSE(report_.by_label_id);
}

TEST_F(CocoResults, TakeLabelsWhereNoNameIsKnown) {
  const CocoAnnotations truth = annotations();
  EXPECT_EQ(results({{"5.jpg", 9, 9, {{"Dog", {18, 0.5f, 1, 2, 3, 4}}}}}, &truth)[0]["category_id"], 18);
  EXPECT_TRUE(report_.by_label_id);
  EXPECT_EQ(results({{"5.jpg", 9, 9, {{"bird", {2, 0.5f, 1, 2, 3, 4}}}}}, &truth)[0]["category_id"], 2);
  EXPECT_TRUE(report_.by_label_id);
}

}  // namespace
}  // namespace tyto::apps
