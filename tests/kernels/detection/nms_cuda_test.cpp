#include "kernels/detection/nms.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/common/device_error.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/cuda/random_values.h"
#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

// A batch, and what is selected of it on the device; every row, those behind the last as well, has the bits
// of the CPU's.
struct Batch {
  int64_t n = 1, classes = 1;
  std::vector<float> boxes, scores;
  bool class_boxes = false;
  std::vector<int32_t> counts = {};  // none: every box is there
  int64_t count() const {
    return n == 0 ? 0 : static_cast<int64_t>(boxes.size()) / 4 / n / (class_boxes ? classes : 1);
  }
  BoxScores at(const float* boxes_at, const float* scores_at, const int32_t* counts_at) const {
    return {boxes_at, scores_at, counts.empty() ? nullptr : counts_at, n, classes, count(), class_boxes};
  }
};

struct Selected {
  std::vector<float> rows;
  std::vector<int32_t> counts, kept;
};

Selected select_on_cpu(const Batch& b, const Nms& p) {
  const int64_t bytes = nms_workspace(p, b.n, b.classes, b.count(), 1);
  std::vector<int64_t> workspace(static_cast<size_t>(bytes / 8 + 1));
  std::vector<float> rows(
      static_cast<size_t>(b.n * detection_capacity(p, b.classes, b.count()) * kDetectionRow));
  std::vector<int32_t> counts(static_cast<size_t>(b.n)), kept(rows.size() / kDetectionRow, 77);
  nms_cpu(b.at(b.boxes.data(), b.scores.data(), b.counts.data()), p, 1, workspace.data(), rows.data(),
          counts.data(), kept.data());
  return {rows, counts, kept};
}

// Returns how many were found.
int64_t expect_same_as_cpu(const Batch& b, const Nms& p, bool with_kept = true) {
  const auto [want, want_counts, want_kept] = select_on_cpu(b, p);
  const DeviceArray<float> boxes(b.boxes), scores(b.scores);
  const DeviceArray<int32_t> there(b.counts);
  DeviceArray<char> workspace(nms_workspace_cuda(p, b.n, b.classes, b.count()));
  DeviceArray<float> rows(static_cast<int64_t>(want.size()));
  DeviceArray<int32_t> counts(b.n), kept(static_cast<int64_t>(want_kept.size()));
  nms(b.at(boxes.data(), scores.data(), there.data()), p, workspace.data(), rows.data(), counts.data(),
      nullptr, with_kept ? kept.data() : nullptr);
  EXPECT_EQ(counts.download(), want_counts);
  if (with_kept) {
    EXPECT_EQ(kept.download(), want_kept);
  }
  EXPECT_EQ(bits(rows.download()), bits(want))
      << b.n << " x " << b.classes << " classes x " << b.count() << " boxes, top_k " << p.top_k;
  int64_t found = 0;
  for (size_t i = kDetectionRow - 1; i < want.size(); i += kDetectionRow) found += want[i] > 0;
  return found;
}

Batch random_batch(int64_t n, int64_t classes, int64_t count) {
  Numbers numbers(static_cast<uint32_t>(n + 10 * classes + 100 * count));
  return {n, classes, crowded_boxes(numbers, n * count), numbers.vector(n * classes * count, 0, 1)};
}

const std::vector<Nms> kSettings = {
    {.score_threshold = 0.3f},
    {.score_threshold = 0.3f, .top_k = 7, .max_detections = 11},
    {.score_threshold = 0.01f, .top_k = 40, .iou_threshold = 0.2f, .max_per_class = 3},
    {.score_threshold = 0.5f,
     .iou_threshold = 0,
     .clip = true,
     .width = 0.7f,
     .height = 0.5f,
     .scale_x = 300},
    {.score_threshold = -1, .iou_threshold = 1, .max_detections = 1},
    {.score_threshold = 0.1f, .clip = true, .width = 0.3f, .height = 0.4f, .max_detections = 9},
    {.score_threshold = 0.2f, .iou_threshold = 0.9f, .max_per_class = 33},
};

TEST(Nms, HasTheBitsOfTheCpuForEverySetOfLimits) {
  for (const Nms& p : kSettings)
    for (int64_t n : {0, 1, 3})
      for (int64_t classes : {1, 5})
        for (int64_t count : {0, 1, 31, 32, 33, 200}) expect_same_as_cpu(random_batch(n, classes, count), p);
}

TEST(Nms, HasTheBitsOfTheCpuWithABoxAClassAndCounts) {
  for (const bool agnostic : {false, true})
    for (const int64_t count : {1, 33, 300}) {
      Numbers numbers(static_cast<uint32_t>(count));
      const int64_t n = 3, classes = 3;
      const Batch batch = {n,
                           classes,
                           crowded_boxes(numbers, n * classes * count),
                           numbers.vector(n * classes * count, -1, 1),
                           true,
                           {static_cast<int32_t>(count) - 1, 0, 1000}};
      for (Nms p : kSettings) {
        p.agnostic = agnostic;
        expect_same_as_cpu(batch, p);
      }
      expect_same_as_cpu(batch, {.score_threshold = 0.05f,
                                 .min_size = 0.2f,
                                 .iou_threshold = 0.5f,
                                 .agnostic = agnostic,
                                 .max_detections = 100});
    }
}

TEST(Nms, HasTheBitsOfTheCpuOfLevels) {
  Numbers numbers(3);
  const float all = -std::numeric_limits<float>::infinity();
  Batch batch = {2,     1,           crowded_boxes(numbers, 2 * 4500), numbers.vector(2 * 4500, -3, 3),
                 false, {4500, 4497}};
  for (const Suppress rule : {Suppress::Greater, Suppress::GreaterEqual}) {
    const int64_t found = expect_same_as_cpu(batch, {.score_threshold = all,
                                                     .top_k = 100,
                                                     .min_size = 0.15f,
                                                     .iou_threshold = 0.7f,
                                                     .rule = rule,
                                                     .sigmoid = true,
                                                     .max_detections = 150,
                                                     .levels = {4200, 0, 200, 97, 3}});
    EXPECT_EQ(found, 2 * 150);
  }
  for (float& score : batch.scores) score *= 20;  // many have one sigmoid
  expect_same_as_cpu(batch, {.score_threshold = all,
                             .top_k = 100,
                             .iou_threshold = 0.9f,
                             .plus_one = true,
                             .sigmoid = true,
                             .levels = {4200, 300}});
}

TEST(Nms, MergesTheTilesOfAClass) {
  for (int64_t count : {4095, 4096, 4097, 8193, 13000}) {
    const Batch batch = random_batch(1, 2, count);
    expect_same_as_cpu(batch, {.score_threshold = 0.97f});
    expect_same_as_cpu(batch, {.score_threshold = 0.9f, .top_k = 100, .max_detections = 20});
    expect_same_as_cpu(batch, {.score_threshold = 0, .top_k = 1});
  }
}

TEST(Nms, TakesEveryBoxWhereNothingIsLimited) {
  EXPECT_GT(expect_same_as_cpu(random_batch(1, 1, 5000), {.score_threshold = -1, .iou_threshold = 0.9f}),
            3000);
  EXPECT_EQ(expect_same_as_cpu(random_batch(1, 2, 700), {.score_threshold = -1, .iou_threshold = 1}), 1400);
}

TEST(Nms, OfAHundredThousandBoxes) {
  const Batch batch = random_batch(1, 1, 100'003);
  expect_same_as_cpu(batch, {.score_threshold = 0.995f});
  expect_same_as_cpu(batch, {.score_threshold = 0.9f, .top_k = 300, .max_detections = 100});
}

TEST(Nms, WithoutAPlaceForTheNumbersOfBoxes) {
  expect_same_as_cpu(random_batch(2, 3, 50), {.score_threshold = 0.5f}, false);
}

TEST(Nms, OfManyClasses) {
  expect_same_as_cpu(random_batch(2, 90, 37), {.score_threshold = 0.5f, .top_k = 20, .max_detections = 25});
}

TEST(Nms, OfNothingAboveTheThresholdIsEmpty) {
  EXPECT_EQ(expect_same_as_cpu({1, 1, {0, 0, 1, 1}, {0.5f}}, {.score_threshold = 0.5f}), 0);
  EXPECT_EQ(expect_same_as_cpu(random_batch(2, 3, 50), {.score_threshold = 1}), 0);
  EXPECT_EQ(expect_same_as_cpu(random_batch(2, 0, 50), {}), 0);
}

// Boxes side by side, so that none suppresses another.
std::vector<float> boxes_in_a_row(int count) {
  std::vector<float> boxes;
  for (int i = 0; i < count; ++i)
    for (float v : {0.0f, 0.0f, 1.0f, 1.0f}) boxes.push_back(v + 2 * static_cast<float>(i));
  return boxes;
}

TEST(Nms, OrdersEqualScoresByClassThenByBox) {
  for (int count : {3, 300, 5000})
    for (int top_k : {0, 2, 170}) {
      const Batch batch = {1, 3, boxes_in_a_row(count),
                           std::vector<float>(static_cast<size_t>(3 * count), 0.5f)};
      expect_same_as_cpu(batch, {.top_k = top_k, .max_detections = 700});
    }
  Numbers numbers(1);  // few different scores: ties within and between tiles and classes
  Batch batch = {2, 4, boxes_in_a_row(2 * 4200), {}};
  for (int i = 0; i < 2 * 4 * 4200; ++i) batch.scores.push_back(static_cast<float>(numbers.next() % 5) / 4);
  expect_same_as_cpu(batch, {.score_threshold = 0.3f, .top_k = 900, .max_detections = 1500});
}

TEST(Nms, AZeroOfEitherSignIsOneScore) {
  EXPECT_EQ(
      expect_same_as_cpu({1, 2, boxes_in_a_row(3), {-0.0f, 0, -0.0f, 0, -0.0f, 0}}, {.score_threshold = -1}),
      6);
}

TEST(Nms, OfEqualBoxesOneStays) {
  Batch batch = {1, 1, {}, std::vector<float>(500, 0.9f)};
  for (int i = 0; i < 500; ++i) batch.boxes.insert(batch.boxes.end(), {0.1f, 0.2f, 0.5f, 0.6f});
  EXPECT_EQ(expect_same_as_cpu(batch, {.max_detections = 100}), 1);
}

TEST(Nms, AnOverlapOfExactlyTheThresholdStays) {
  const Batch batch = {1, 1, {0, 0, 1, 1, 0.5f, 0, 1.5f, 1}, {0.9f, 0.8f}};
  const float third = 0.5f / 1.5f;
  EXPECT_EQ(expect_same_as_cpu(batch, {.iou_threshold = third}), 2);
  EXPECT_EQ(expect_same_as_cpu(batch, {.iou_threshold = std::nextafter(third, 0.0f)}), 1);
  EXPECT_EQ(expect_same_as_cpu(batch, {.iou_threshold = third, .rule = Suppress::GreaterEqual}), 1);
}

TEST(Nms, NaNNeverWinsAndNeverSuppresses) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(expect_same_as_cpu({1,
                                1,
                                {0, 0, 1, 1, 0, 0, nan, 1, -infinity, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1},
                                {nan, 0.9f, 0.8f, 0.7f, -infinity}},
                               {}),
            1);
  Batch batch = random_batch(2, 3, 150);
  Numbers numbers(2);
  for (float odd : {nan, infinity, -infinity, 3e38f, -3e38f, -0.0f})
    for (int i = 0; i < 20; ++i) {
      batch.boxes[numbers.next() % batch.boxes.size()] = odd;
      batch.scores[numbers.next() % batch.scores.size()] = odd;
    }
  for (Nms p : kSettings)
    for (EmptyUnion rule : {EmptyUnion::Keep, EmptyUnion::Drop}) {
      p.empty_union = rule;
      expect_same_as_cpu(batch, p);
    }
  expect_same_as_cpu(batch, {.score_threshold = nan});
}

TEST(Nms, BoxesWithoutAreaFollowTheProjectsRule) {
  const Batch empty = {1, 1, {0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f}, {0.9f, 0.8f}};
  EXPECT_EQ(expect_same_as_cpu(empty, {.empty_union = EmptyUnion::Keep}), 2);
  EXPECT_EQ(expect_same_as_cpu(empty, {.empty_union = EmptyUnion::Drop}), 1);
  const Batch one = {1, 1, {0, 0, 1, 1, 0.5f, 0.5f, 0.5f, 0.5f}, {0.9f, 0.8f}};
  EXPECT_EQ(expect_same_as_cpu(one, {.empty_union = EmptyUnion::Drop}), 2);
}

TEST(Nms, ClippingComesAfterSuppressionAndAfterTheLimitOfAClass) {
  // Outside the image the first two differ; clipped they are the same box. The third is nowhere in the image.
  const Batch batch = {1,
                       1,
                       {0.5f, 0.5f, 5, 5, 0.5f, 0.5f, 1.5f, 1.5f, 2, 2, 3, 3, 0, 0, 0.2f, 0.2f},
                       {0.9f, 0.8f, 0.85f, 0.7f}};
  EXPECT_EQ(expect_same_as_cpu(batch, {.clip = true}), 3);
  EXPECT_EQ(expect_same_as_cpu(batch, {.max_per_class = 2, .clip = true}), 1);
  EXPECT_EQ(expect_same_as_cpu(batch, {.clip = true, .max_detections = 2}), 2);
}

TEST(Nms, RefusesWhatItsIndicesCannotHold) {
  EXPECT_THROW(nms_workspace_cuda({}, 1, 1, int64_t{1} << 31), DeviceError);
  EXPECT_THROW(nms_workspace_cuda({}, 1, 1 << 12, 1 << 20), DeviceError);
}

// Scores of which about one in a hundred passes, as SSD300 with VOC's and COCO's classes gives them.
void profile(int64_t classes, int top_k) {
  Numbers numbers(3);
  const int64_t n = profile_batch(), count = 8732;
  Batch batch = {n, classes, crowded_boxes(numbers, n * count), numbers.vector(n * classes * count, 0, 1)};
  for (float& score : batch.scores) score = std::pow(score, 460.0f);
  EXPECT_GT(expect_same_as_cpu(batch, {.top_k = top_k, .max_detections = 200}), 100);
}

TEST(Profile, Nms) { profile(20, 200); }
TEST(Profile, SelectDetectionsOfNinetyClasses) { profile(90, 400); }

}  // namespace
}  // namespace tyto::kernels
