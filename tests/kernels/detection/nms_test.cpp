#include "kernels/detection/nms.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

using Row = std::array<float, kDetectionRow>;

std::vector<std::vector<Row>> select(const std::vector<float>& boxes, const std::vector<float>& scores,
                                     int64_t n, int64_t classes, const Nms& p, int threads = 2) {
  const int64_t count = n == 0 ? 0 : static_cast<int64_t>(boxes.size()) / 4 / n;
  const int64_t capacity = detection_capacity(p, classes, count);
  // Exactly as many bytes as asked for, so that the sanitizers see a write beyond.
  std::vector<int64_t> workspace(static_cast<size_t>((nms_workspace(p, n, classes, count, threads) + 7) / 8));
  std::vector<float> rows(static_cast<size_t>(n * capacity * kDetectionRow), 77);
  std::vector<int32_t> counts(static_cast<size_t>(n), -1);
  nms_cpu(boxes.data(), scores.data(), n, classes, count, p, threads, workspace.data(), rows.data(),
          counts.data());
  std::vector<std::vector<Row>> found(static_cast<size_t>(n));
  for (int64_t image = 0; image < n; ++image) {
    bool over = false;
    for (int64_t i = 0; i < capacity; ++i) {
      Row row;
      std::copy_n(rows.begin() + (image * capacity + i) * kDetectionRow, kDetectionRow, row.begin());
      if (row[5] < 0) {
        EXPECT_EQ(row, (Row{0, 0, 0, 0, 0, -1}));
        over = true;
      } else {
        EXPECT_FALSE(over) << "a detection behind the last";
        found[static_cast<size_t>(image)].push_back(row);
      }
    }
    EXPECT_EQ(counts[static_cast<size_t>(image)], found[static_cast<size_t>(image)].size());
  }
  return found;
}

struct Found {
  double score;
  int64_t label, index;
  bool operator<(const Found& o) const {
    if (score != o.score) return score > o.score;
    return label != o.label ? label < o.label : index < o.index;
  }
};

void keep(std::vector<Found>& v, int most) {
  std::sort(v.begin(), v.end());
  if (most > 0 && v.size() > static_cast<size_t>(most)) v.resize(static_cast<size_t>(most));
}

double overlap_of(const float* a, const float* b) {
  const double w = std::max(0.0, double{std::min(a[2], b[2])} - std::max(a[0], b[0]));
  const double h = std::max(0.0, double{std::min(a[3], b[3])} - std::max(a[1], b[1]));
  const double both =
      (double{a[2]} - a[0]) * (double{a[3]} - a[1]) + (double{b[2]} - b[0]) * (double{b[3]} - b[1]);
  return w * h / (both - w * h);
}

// One image, in doubles, everything compared with everything.
std::vector<Row> reference(const float* boxes, const float* scores, int64_t classes, int64_t count,
                           const Nms& p) {
  std::vector<Found> all;
  for (int64_t c = 0; c < classes; ++c) {
    std::vector<Found> candidates, kept;
    for (int64_t i = 0; i < count; ++i)
      if (scores[c * count + i] > p.score_threshold) candidates.push_back({scores[c * count + i], c + 1, i});
    keep(candidates, p.top_k);
    for (const Found& f : candidates)
      if (std::none_of(kept.begin(), kept.end(), [&](const Found& k) {
            return overlap_of(boxes + 4 * k.index, boxes + 4 * f.index) > p.iou_threshold;
          }))
        kept.push_back(f);
    keep(kept, p.max_per_class);
    all.insert(all.end(), kept.begin(), kept.end());
  }
  keep(all, 0);
  std::vector<Row> rows;
  for (const Found& f : all) {
    Row r = {boxes[4 * f.index],     boxes[4 * f.index + 1],      boxes[4 * f.index + 2],
             boxes[4 * f.index + 3], static_cast<float>(f.score), static_cast<float>(f.label)};
    if (p.clip)
      for (size_t k = 0; k < 4; ++k) r[k] = std::clamp(r[k], 0.0f, k % 2 == 0 ? p.width : p.height);
    if (p.clip && !(r[2] > r[0] && r[3] > r[1])) continue;
    for (size_t k = 0; k < 4; ++k) r[k] *= k % 2 == 0 ? p.scale_x : p.scale_y;
    rows.push_back(r);
  }
  if (p.max_detections > 0 && rows.size() > static_cast<size_t>(p.max_detections))
    rows.resize(static_cast<size_t>(p.max_detections));
  return rows;
}

TEST(Nms, EqualsTheReferenceForEverySetOfLimits) {
  const std::vector<Nms> settings = {
      {.score_threshold = 0.3f},
      {.score_threshold = 0.3f, .top_k = 7, .max_detections = 11},
      {.score_threshold = 0.01f, .top_k = 40, .iou_threshold = 0.2f, .max_per_class = 3},
      {.score_threshold = 0.5f,
       .iou_threshold = 0,
       .clip = true,
       .width = 0.7f,
       .height = 0.5f,
       .scale_x = 300,
       .scale_y = 200},
      {.score_threshold = 0, .iou_threshold = 1, .max_detections = 1},
      {.score_threshold = 0.1f, .clip = true, .width = 0.3f, .height = 0.4f, .max_detections = 9},
  };
  for (const Nms& p : settings)
    for (int64_t n : {0, 1, 3})
      for (int64_t count : {1, 2, 31, 200})
        for (int64_t classes : {1, 5}) {
          Numbers numbers(static_cast<uint32_t>(count * 100 + classes));
          const auto boxes = crowded_boxes(numbers, n * count);
          const auto scores = numbers.vector(n * classes * count, 0, 1);
          const auto got = select(boxes, scores, n, classes, p);
          for (int64_t i = 0; i < n; ++i)
            ASSERT_EQ(got[static_cast<size_t>(i)],
                      reference(&boxes[static_cast<size_t>(i * count * 4)],
                                &scores[static_cast<size_t>(i * classes * count)], classes, count, p));
          EXPECT_EQ(got, select(boxes, scores, n, classes, p, 1)) << "one thread";
        }
}

TEST(Nms, OfNothingAboveTheThresholdIsEmpty) {
  EXPECT_TRUE(select({0, 0, 1, 1}, {0.5f}, 1, 1, {.score_threshold = 0.5f})[0].empty());  // more, not as much
  EXPECT_TRUE(select({}, {}, 1, 3, {})[0].empty());
}

TEST(Nms, OfEqualBoxesOneStays) {
  std::vector<float> boxes, scores;
  for (int i = 0; i < 500; ++i) {
    boxes.insert(boxes.end(), {0.1f, 0.2f, 0.5f, 0.6f});
    scores.push_back(0.9f);
  }
  const auto found = select(boxes, scores, 1, 1, {.max_detections = 100});
  ASSERT_EQ(found[0].size(), 1u);
  EXPECT_EQ(found[0][0], (Row{0.1f, 0.2f, 0.5f, 0.6f, 0.9f, 1}));
}

TEST(Nms, OrdersHundredsOfEqualScoresByClassThenByBox) {
  std::vector<float> boxes;
  for (int i = 0; i < 300; ++i)
    for (float v : {0.0f, 0.0f, 1.0f, 1.0f}) boxes.push_back(v + 2 * static_cast<float>(i));
  for (int top_k : {0, 170}) {
    const auto found = select(boxes, std::vector<float>(900, 0.5f), 1, 3, {.top_k = top_k});
    const size_t each = top_k == 0 ? 300 : 170;
    ASSERT_EQ(found[0].size(), 3 * each);
    for (size_t i = 0; i < found[0].size(); ++i) {
      ASSERT_EQ(found[0][i][5], static_cast<float>(i / each + 1));
      ASSERT_EQ(found[0][i][0], static_cast<float>(2 * (i % each)));
    }
  }
}

TEST(Nms, OrdersEqualScoresByClassThenByBox) {
  const std::vector<float> boxes = {0, 0, 1, 1, 2, 0, 3, 1, 4, 0, 5, 1};
  const auto found = select(boxes, std::vector<float>(6, 0.5f), 1, 2, {});
  std::vector<std::pair<float, float>> order;  // label, x1
  for (const Row& r : found[0]) order.emplace_back(r[5], r[0]);
  EXPECT_EQ(order, (std::vector<std::pair<float, float>>{{1, 0}, {1, 2}, {1, 4}, {2, 0}, {2, 2}, {2, 4}}));
}

TEST(Nms, AmongEqualScoresTheLowerBoxesAreTheTop) {
  const std::vector<float> boxes = {0, 0, 1, 1, 2, 0, 3, 1, 4, 0, 5, 1};
  const auto found = select(boxes, {0.5f, 0.5f, 0.5f}, 1, 1, {.top_k = 2});
  ASSERT_EQ(found[0].size(), 2u);
  EXPECT_EQ(found[0][1][0], 2);
}

TEST(Nms, AnOverlapOfExactlyTheThresholdStays) {
  // Two unit boxes that share half of each: 0.5 / 1.5. As a float quotient, exactly.
  const std::vector<float> boxes = {0, 0, 1, 1, 0.5f, 0, 1.5f, 1};
  const float third = 0.5f / 1.5f;
  EXPECT_EQ(select(boxes, {0.9f, 0.8f}, 1, 1, {.iou_threshold = third})[0].size(), 2u);
  EXPECT_EQ(select(boxes, {0.9f, 0.8f}, 1, 1, {.iou_threshold = std::nextafter(third, 0.0f)})[0].size(), 1u);
}

TEST(Nms, ClassesDoNotSuppressOneAnother) {
  EXPECT_EQ(select({0, 0, 1, 1}, {0.9f, 0.8f}, 1, 2, {})[0].size(), 2u);
}

TEST(Nms, NaNNeverWinsAndNeverSuppresses) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> boxes = {0, 0, 1, 1, 0, 0, nan, 1, -infinity, 0, 1, 1, 0, 0, 1, 1};
  const auto found = select(boxes, {nan, 0.9f, 0.8f, 0.7f}, 1, 1, {});
  ASSERT_EQ(found[0].size(), 1u);
  EXPECT_EQ(found[0][0], (Row{0, 0, 1, 1, 0.7f, 1}));
}

TEST(Nms, BoxesWithoutAreaFollowTheProjectsRule) {
  const std::vector<float> boxes = {0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f};
  EXPECT_EQ(select(boxes, {0.9f, 0.8f}, 1, 1, {.empty_union = EmptyUnion::Keep})[0].size(), 2u);
  EXPECT_EQ(select(boxes, {0.9f, 0.8f}, 1, 1, {.empty_union = EmptyUnion::Drop})[0].size(), 1u);
  const std::vector<float> one = {0,    0,    1,    1,
                                  0.5f, 0.5f, 0.5f, 0.5f};  // beside an ordinary box the overlap is 0
  EXPECT_EQ(select(one, {0.9f, 0.8f}, 1, 1, {.empty_union = EmptyUnion::Drop})[0].size(), 2u);
}

TEST(Nms, ClippingComesAfterSuppression) {
  // Outside the image the two differ; clipped they are the same box.
  const std::vector<float> boxes = {0.5f, 0.5f, 5, 5, 0.5f, 0.5f, 1.5f, 1.5f, 2, 2, 3, 3};
  const auto found = select(boxes, {0.9f, 0.8f, 0.7f}, 1, 1, {.clip = true});
  ASSERT_EQ(found[0].size(), 2u);  // the third is nowhere in the image
  EXPECT_EQ(found[0][0], (Row{0.5f, 0.5f, 1, 1, 0.9f, 1}));
  EXPECT_EQ(found[0][1], (Row{0.5f, 0.5f, 1, 1, 0.8f, 1}));
}

}  // namespace
}  // namespace tyto::kernels
