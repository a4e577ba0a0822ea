// VOC's rules, one by one; tests/apps/detection compares whole evaluations with the rules written in Python.
#include "engine/metrics/voc_metrics.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace tyto {
namespace {

// A mean of 11 precisions or a sum of a few areas in [0, 1]: one rounding an addition.
constexpr double kRounding = 11 * 0x1p-53;

VocObject object(double xmin, double ymin, double xmax, double ymax, bool difficult = false,
                 int category = 0) {
  return {0, category, xmin, ymin, xmax, ymax, difficult};
}
ScoredBox found(double x, double y, double width, double height, double score, int category = 0) {
  return {0, category, x, y, width, height, score};
}

VocMetrics evaluate(const std::vector<VocObject>& objects, const std::vector<ScoredBox>& detections,
                    const char* rule = "devkit", int64_t images = 1, int categories = 1) {
  return voc_metrics(images, categories, objects, detections, voc_rule(rule));
}

TEST(VocMetrics, ThePixelsOfAnObjectAreItsBox) {
  const VocMetrics m = evaluate({object(1, 1, 10, 20)}, {found(0, 0, 10, 20, 0.5)});
  EXPECT_NEAR(m.map_11_point, 1, kRounding);
  EXPECT_EQ(m.map_area, 1);
  EXPECT_EQ(m.classes[0].objects, 1);
}

TEST(VocMetrics, RulesDifferWhereTheIouIsAHalf) {
  // Pixels 1 ... 10 and the left half of them: 5 / 10 in the devkit's corners; [0, 9] and 5 columns else.
  const std::vector<VocObject> objects = {object(1, 1, 10, 10)};
  const std::vector<ScoredBox> half = {found(0, 0, 5, 10, 0.5)};
  EXPECT_EQ(evaluate(objects, half, "devkit").map_area, 1);
  // ssd.pytorch: the object is 9 x 9, so that 4.5 x 9 is half of it.
  EXPECT_EQ(evaluate(objects, {found(0, 0, 4.5, 9, 0.5)}, "ssd.pytorch").map_area, 0);
  EXPECT_EQ(evaluate(objects, {found(0, 0, 4.75, 9, 0.5)}, "ssd.pytorch").map_area, 1);
  // chainercv: 1 is added, so the object is 10 x 10 and 4 x 9 becomes 5 x 10.
  EXPECT_EQ(evaluate(objects, {found(0, 0, 4, 9, 0.5)}, "chainercv").map_area, 1);
  EXPECT_EQ(evaluate(objects, {found(0, 0, 3.75, 9, 0.5)}, "chainercv").map_area, 0);
}

TEST(VocMetrics, DifficultObjectsCountForNothing) {
  const VocMetrics m =
      evaluate({object(1, 1, 10, 10, true), object(101, 1, 110, 10)},
               {found(0, 0, 10, 10, 0.9), found(0, 0, 10, 10, 0.8), found(100, 0, 10, 10, 0.7)});
  EXPECT_EQ(m.map_area, 1);
  EXPECT_EQ(m.classes[0].objects, 1);
  EXPECT_EQ(m.classes[0].difficult, 1);
  EXPECT_EQ(evaluate({object(1, 1, 10, 10, true)}, {found(0, 0, 10, 10, 0.9)}).map_area, -1);
}

TEST(VocMetrics, TheSecondBoxOfAnObjectIsWrong) {
  const VocMetrics m =
      evaluate({object(1, 1, 10, 10), object(101, 1, 110, 10)},
               {found(0, 0, 10, 10, 0.9), found(0, 0, 10, 10, 0.8), found(100, 0, 10, 10, 0.7)});
  EXPECT_NEAR(m.map_11_point, (6 + 5 * 2.0 / 3) / 11, kRounding);  // recalls 0 ... 0.5, then 0.6 ... 1
  EXPECT_NEAR(m.map_area, 0.5 + 0.5 * 2 / 3, kRounding);
}

TEST(VocMetrics, ABoxGoesToTheBestObjectEvenIfThatIsTaken) {
  // The second box fits the taken object best and would do for the free one: wrong all the same.
  const VocMetrics m = evaluate({object(1, 1, 100, 100), object(21, 1, 120, 100)},
                                {found(0, 0, 100, 100, 0.9), found(5, 0, 100, 100, 0.8)});
  EXPECT_EQ(m.map_area, 0.5);
}

TEST(VocMetrics, OfEqualIousTheFirstObjectWins) {
  // The first box is 0.6 from both objects; the second is the earlier one itself, and that is taken.
  const VocMetrics m = evaluate({object(1, 1, 40, 40), object(21, 1, 60, 40)},
                                {found(10, 0, 40, 40, 0.9), found(0, 0, 40, 40, 0.8)});
  EXPECT_EQ(m.map_area, 0.5);
}

TEST(VocMetrics, ThreeOfTenReachARecallOfThreeTenths) {
  std::vector<VocObject> objects;
  for (int i = 0; i < 10; ++i) objects.push_back(object(100 * i + 1, 1, 100 * i + 10, 10));
  const std::vector<ScoredBox> three = {found(0, 0, 10, 10, 0.9), found(100, 0, 10, 10, 0.8),
                                        found(200, 0, 10, 10, 0.7)};
  EXPECT_NEAR(evaluate(objects, three, "devkit").map_11_point, 4.0 / 11, kRounding);
  EXPECT_NEAR(evaluate(objects, three, "chainercv").map_11_point, 3.0 / 11, kRounding);  // 0.3 < 3 * 0.1
}

TEST(VocMetrics, ClassesWithoutObjectsAreLeftOutOfTheMean) {
  const VocMetrics m =
      evaluate({object(1, 1, 10, 10)}, {found(0, 0, 10, 10, 0.9), found(0, 0, 5, 5, 0.9, 1)}, "devkit", 1, 2);
  EXPECT_EQ(m.map_area, 1);
  EXPECT_EQ(m.classes[1].ap_area, -1);
  EXPECT_EQ(evaluate({object(1, 1, 10, 10)}, {}).map_11_point, 0);
  EXPECT_EQ(voc_metrics(0, 0, {}, {}, voc_rule("devkit")).map_area, -1);
}

TEST(VocMetrics, WhatIsNotThereIsRefused) {
  expect_error([] { voc_rule("coco"); }, ErrorKind::Usage, {"'coco'", "devkit, ssd.pytorch or chainercv"});
  expect_error([] { evaluate({object(1, 1, 2, 2, false, 3)}, {}); }, ErrorKind::Usage, {"category 3"});
  expect_error([] { evaluate({}, {{7, 0, 0, 0, 1, 1, 1}}); }, ErrorKind::Usage, {"image 7"});
}

}  // namespace
}  // namespace tyto
