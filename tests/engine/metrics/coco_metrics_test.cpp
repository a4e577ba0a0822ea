// COCO's rules, one by one; tests/apps/command compares whole evaluations with pycocotools.
#include "engine/metrics/coco_metrics.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace tyto {
namespace {

// pycocotools adds 2^-52 to every precision's denominator: 1 / (1 + 2^-52).
constexpr double kWhole = 1 / (1 + 0x1p-52);
// A mean of at most 101 x 10 numbers in [0, 1] is off by no more than its additions round: 1010 x 2^-53.
constexpr double kRounding = 1010 * 0x1p-53;

CocoObject object(double x, double y, double width, double height, bool crowd = false, int category = 0) {
  return {0, category, x, y, width, height, width * height, crowd};
}
ScoredBox found(double x, double y, double width, double height, double score, int category = 0) {
  return {0, category, x, y, width, height, score};
}

CocoMetrics evaluate(const std::vector<CocoObject>& objects, const std::vector<ScoredBox>& detections,
                     int64_t images = 1, int categories = 1) {
  return coco_metrics(images, categories, objects, detections);
}

TEST(CocoMetrics, AnExactBoxIsFoundAtEveryThreshold) {
  const CocoMetrics m = evaluate({object(10, 10, 50, 50)}, {found(10, 10, 50, 50, 0.5)});
  EXPECT_NEAR(m.ap, kWhole, kRounding);
  EXPECT_NEAR(m.ap_medium, kWhole, kRounding);
  EXPECT_EQ(m.ar1, 1);
  EXPECT_EQ(m.ar_medium, 1);
  EXPECT_EQ(m.classes[0].objects, 1);
  EXPECT_NEAR(m.classes[0].ap50, kWhole, kRounding);
}

TEST(CocoMetrics, WithoutObjectsThereIsNothingToMeasure) {
  const CocoMetrics m =
      evaluate({object(0, 0, 50, 50)}, {found(0, 0, 50, 50, 0.5), found(0, 0, 9, 9, 0.9, 1)}, 1, 2);
  EXPECT_EQ(m.ap_small, -1);
  EXPECT_EQ(m.ar_large, -1);
  EXPECT_EQ(m.classes[1].ap, -1);
  EXPECT_NEAR(m.ap, kWhole, kRounding);  // the class without objects is left out of the mean
  const CocoMetrics nothing = evaluate({}, {found(0, 0, 9, 9, 0.9)});
  EXPECT_EQ(nothing.ap, -1);
  EXPECT_EQ(nothing.ar100, -1);
  EXPECT_EQ(coco_metrics(0, 0, {}, {}).ap, -1);
}

TEST(CocoMetrics, WithoutDetectionsEverythingIsZero) {
  const CocoMetrics m = evaluate({object(0, 0, 50, 50)}, {});
  EXPECT_EQ(m.ap, 0);
  EXPECT_EQ(m.ar100, 0);
}

TEST(CocoMetrics, AnIouAtTheThresholdIsEnough) {
  // 30 of 40 columns: IoU 0.75 exactly, so right at the six thresholds 0.50 ... 0.75 and wrong at four.
  const CocoMetrics m = evaluate({object(0, 0, 40, 40)}, {found(0, 0, 30, 40, 0.5)});
  EXPECT_NEAR(m.ap, 0.6 * kWhole, kRounding);
  EXPECT_NEAR(m.ap75, kWhole, kRounding);
  EXPECT_NEAR(m.ar1, 0.6, kRounding);
}

TEST(CocoMetrics, TheSecondBoxOfAnObjectIsWrong) {
  const CocoMetrics m =
      evaluate({object(0, 0, 40, 40), object(100, 0, 40, 40)},
               {found(0, 0, 40, 40, 0.9), found(0, 0, 40, 40, 0.8), found(100, 0, 40, 40, 0.7)});
  // Precision 1 up to recall 0.5 (51 points), then 2 / 3 (50 points).
  EXPECT_NEAR(m.ap, (51 + 50 * 2.0 / 3) / 101, kRounding);
  EXPECT_EQ(m.ar1, 0.5);
  EXPECT_EQ(m.ar10, 1);
}

TEST(CocoMetrics, ACrowdSwallowsAnyNumberOfDetections) {
  const std::vector<CocoObject> objects = {object(0, 0, 100, 100, true), object(200, 0, 40, 40)};
  // All of a detection lies in the crowd, though it is a small part of it.
  const CocoMetrics m =
      evaluate(objects, {found(10, 10, 20, 20, 0.9), found(40, 40, 20, 20, 0.8), found(200, 0, 40, 40, 0.7)});
  EXPECT_NEAR(m.ap, kWhole, kRounding);
  EXPECT_EQ(m.classes[0].objects, 1);
}

TEST(CocoMetrics, AnObjectIsPreferredToACrowdThatFitsBetter) {
  // IoU 0.5625 with the object; all of it in the crowd. At 0.50 and 0.55 the object, above the crowd takes
  // it.
  const CocoMetrics m =
      evaluate({object(0, 0, 100, 100, true), object(0, 0, 40, 40)}, {found(0, 0, 30, 30, 0.5)});
  EXPECT_NEAR(m.ap, 0.2 * kWhole, kRounding);
}

TEST(CocoMetrics, AreasOnALimitBelongToBothSides) {
  const CocoMetrics m = evaluate({object(0, 0, 32, 32), object(200, 0, 96, 96)},
                                 {found(0, 0, 32, 32, 0.9), found(200, 0, 96, 96, 0.8)});
  EXPECT_NEAR(m.ap_small, kWhole, kRounding);
  EXPECT_NEAR(m.ap_medium, 1, kRounding);
  EXPECT_NEAR(m.ap_large, kWhole, kRounding);
}

TEST(CocoMetrics, ADetectionOutsideTheAreasIsNoMistakeThere) {
  const CocoMetrics m =
      evaluate({object(0, 0, 20, 20)}, {found(300, 300, 50, 50, 0.9), found(0, 0, 20, 20, 0.8)});
  EXPECT_NEAR(m.ap_small, kWhole, kRounding);
  EXPECT_NEAR(m.ap, 0.5, kRounding);
}

TEST(CocoMetrics, OnlyTheHundredBestOfAnImageAndClassCount) {
  std::vector<ScoredBox> detections;
  for (int i = 0; i < 100; ++i) detections.push_back(found(500, 500, 20, 20, 0.9));
  detections.push_back(found(0, 0, 40, 40, 0.5));
  EXPECT_EQ(evaluate({object(0, 0, 40, 40)}, detections).ar100, 0);
  detections.pop_back();
  detections.front() = found(0, 0, 40, 40, 0.5);
  EXPECT_EQ(evaluate({object(0, 0, 40, 40)}, detections).ar100, 1);
  EXPECT_EQ(evaluate({object(0, 0, 40, 40)}, detections).ar10, 0);
}

TEST(CocoMetrics, EqualScoresStandInTheOrderOfImages) {
  const std::vector<CocoObject> objects = {{1, 0, 0, 0, 40, 40, 1600, false}};
  const ScoredBox wrong{0, 0, 0, 0, 40, 40, 0.5}, right{1, 0, 0, 0, 40, 40, 0.5};
  EXPECT_NEAR(evaluate(objects, {right, wrong}, 2).ap, 0.5, kRounding);
  EXPECT_NEAR(evaluate(objects, {wrong, right}, 2).ap, 0.5, kRounding);
}

TEST(CocoMetrics, OfEqualIousTheLaterObjectWins) {
  // Both objects are 0.6 from the first box; only the earlier one is then left for the second, which is its
  // own.
  const std::vector<CocoObject> objects = {object(0, 0, 40, 40), object(20, 0, 40, 40)};
  const CocoMetrics m = evaluate(objects, {found(10, 0, 40, 40, 0.9), found(0, 0, 40, 40, 0.8)});
  EXPECT_NEAR(m.ap50, kWhole, kRounding);
}

TEST(CocoMetrics, PlacesOutsideTheListsAreRefused) {
  expect_error([] { evaluate({object(0, 0, 1, 1, false, 1)}, {}); }, ErrorKind::Usage, {"category 1"});
  expect_error([] { evaluate({}, {{-1, 0, 0, 0, 1, 1, 1}}); }, ErrorKind::Usage, {"image -1"});
}

}  // namespace
}  // namespace tyto
