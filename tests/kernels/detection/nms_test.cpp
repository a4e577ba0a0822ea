#include "kernels/detection/nms.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/detection/nms_math.h"
#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

using Row = std::array<float, kDetectionRow>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                kInfinity = std::numeric_limits<float>::infinity();

// The row is that of box `kept` of the image.
void expect_kept(const BoxScores& in, const Nms& p, int64_t image, int32_t kept, const Row& row) {
  ASSERT_GE(kept, 0);
  ASSERT_LT(kept, in.count);
  const auto label = static_cast<int64_t>(row[5]);
  const int64_t c = in.classes == 1 ? 0 : label - 1, box = image * in.count + kept;
  const float* at = in.boxes + 4 * (in.class_boxes ? box * in.classes + c : box);
  Row want;
  write_detection({at[0], at[1], at[2], at[3]},
                  shown_score(in.scores[(image * in.classes + c) * in.count + kept], p),
                  static_cast<int32_t>(label), p, want.data());
  EXPECT_EQ(want, row);
}

std::vector<std::vector<Row>> select(const BoxScores& in, const Nms& p, int threads = 2) {
  const int64_t capacity = detection_capacity(p, in.classes, in.count);
  // Exactly as many bytes as asked for, so that the sanitizers see a write beyond.
  std::vector<int64_t> workspace(
      static_cast<size_t>((nms_workspace(p, in.n, in.classes, in.count, threads) + 7) / 8));
  std::vector<float> rows(static_cast<size_t>(in.n * capacity * kDetectionRow), 77);
  std::vector<int32_t> counts(static_cast<size_t>(in.n), -1), kept(static_cast<size_t>(in.n * capacity), 77);
  nms_cpu(in, p, threads, workspace.data(), rows.data(), counts.data(), kept.data());
  std::vector<std::vector<Row>> found(static_cast<size_t>(in.n));
  for (int64_t image = 0; image < in.n; ++image) {
    bool over = false;
    for (int64_t i = 0; i < capacity; ++i) {
      Row row;
      std::copy_n(rows.begin() + (image * capacity + i) * kDetectionRow, kDetectionRow, row.begin());
      if (row[5] < 0) {
        EXPECT_EQ(row, (Row{0, 0, 0, 0, 0, -1}));
        EXPECT_EQ(kept[static_cast<size_t>(image * capacity + i)], -1);
        over = true;
      } else {
        EXPECT_FALSE(over) << "a detection behind the last";
        expect_kept(in, p, image, kept[static_cast<size_t>(image * capacity + i)], row);
        found[static_cast<size_t>(image)].push_back(row);
      }
    }
    EXPECT_EQ(counts[static_cast<size_t>(image)], found[static_cast<size_t>(image)].size());
  }
  return found;
}

BoxScores shared_boxes(const std::vector<float>& boxes, const std::vector<float>& scores, int64_t n,
                       int64_t classes) {
  return {.boxes = boxes.data(),
          .scores = scores.data(),
          .n = n,
          .classes = classes,
          .count = n == 0 ? 0 : static_cast<int64_t>(boxes.size()) / 4 / n};
}

std::vector<std::vector<Row>> select(const std::vector<float>& boxes, const std::vector<float>& scores,
                                     int64_t n, int64_t classes, const Nms& p, int threads = 2) {
  return select(shared_boxes(boxes, scores, n, classes), p, threads);
}

struct Found {
  double score;
  int64_t list, label, index;
  const float* box;
  bool operator<(const Found& o) const {
    if (score != o.score) return score > o.score;
    return label != o.label ? label < o.label : index < o.index;
  }
};

void keep(std::vector<Found>& v, int most) {
  if (most > 0 && v.size() > static_cast<size_t>(most)) v.resize(static_cast<size_t>(most));
}

double overlap_of(const float* a, const float* b, double one) {
  const double w = std::max(0.0, double{std::min(a[2], b[2])} - std::max(a[0], b[0]) + one);
  const double h = std::max(0.0, double{std::min(a[3], b[3])} - std::max(a[1], b[1]) + one);
  const double both = (double{a[2]} - a[0] + one) * (double{a[3]} - a[1] + one) +
                      (double{b[2]} - b[0] + one) * (double{b[3]} - b[1] + one);
  return w * h / (both - w * h);
}

// One image, in doubles, everything compared with everything.
std::vector<Row> reference(const BoxScores& in, int64_t image, const Nms& p) {
  const double one = p.plus_one ? 1 : 0;
  std::vector<int64_t> level_of;
  for (size_t level = 0; level < p.levels.size(); ++level)
    level_of.insert(level_of.end(), static_cast<size_t>(p.levels[level]), static_cast<int64_t>(level));
  const int64_t there = in.counts == nullptr ? in.count : in.counts[image];
  std::vector<Found> all;
  for (int64_t list = 0; list < std::max<int64_t>(in.classes, kMaxLevels); ++list) {
    std::vector<Found> candidates, kept;
    for (int64_t c = 0; c < in.classes; ++c)
      for (int64_t i = 0; i < std::min(in.count, there); ++i) {
        const double score = in.scores[(image * in.classes + c) * in.count + i];
        const int64_t label = level_of.empty() ? c : level_of[static_cast<size_t>(i)];
        const int64_t box = image * in.count + i;
        if (score > p.score_threshold && list == (p.agnostic ? 0 : label))
          candidates.push_back(
              {score, list, label + 1, i, in.boxes + 4 * (in.class_boxes ? box * in.classes + c : box)});
      }
    std::sort(candidates.begin(), candidates.end());
    keep(candidates, p.top_k);
    for (const Found& f : candidates)
      if (f.box[2] - f.box[0] + one >= p.min_size && f.box[3] - f.box[1] + one >= p.min_size &&
          std::none_of(kept.begin(), kept.end(), [&](const Found& k) {
            const double overlap = overlap_of(k.box, f.box, one);
            return p.rule == Suppress::Greater ? overlap > p.iou_threshold : overlap >= p.iou_threshold;
          }))
        kept.push_back(f);
    keep(kept, p.max_per_class);
    all.insert(all.end(), kept.begin(), kept.end());
  }
  if (p.sigmoid)
    for (Found& f : all) f.score = shown_score(static_cast<float>(f.score), p);
  std::stable_sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.score > b.score; });
  std::vector<Row> rows;
  for (const Found& f : all) {
    Row r = {
        f.box[0], f.box[1], f.box[2], f.box[3], static_cast<float>(f.score), static_cast<float>(f.label)};
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

// What is found in all.
size_t expect_the_reference(const BoxScores& in, const Nms& p) {
  const auto got = select(in, p);
  size_t found = 0;
  for (int64_t i = 0; i < in.n; ++i) {
    EXPECT_EQ(got[static_cast<size_t>(i)], reference(in, i, p)) << in.classes << " classes x " << in.count;
    found += got[static_cast<size_t>(i)].size();
  }
  EXPECT_EQ(got, select(in, p, 1)) << "one thread";
  return found;
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
          expect_the_reference(shared_boxes(boxes, scores, n, classes), p);
        }
}

// Between them all that can be asked for beyond the classes of a single-shot detector.
const std::vector<Nms> kProposalSettings = {
    {.score_threshold = -kInfinity, .iou_threshold = 0.7f, .max_detections = 30},
    {.score_threshold = 0.2f, .min_size = 0.2f, .rule = Suppress::GreaterEqual, .plus_one = true},
    {.score_threshold = -0.5f, .top_k = 20, .min_size = 0.15f, .sigmoid = true, .max_detections = 25},
    {.score_threshold = 0, .top_k = 90, .iou_threshold = 0.3f, .agnostic = true, .max_per_class = 40},
    {.score_threshold = 0, .agnostic = true, .sigmoid = true, .clip = true, .width = 0.3f},
};

TEST(Nms, EqualsTheReferenceWithABoxAClassAndCounts) {
  for (const Nms& p : kProposalSettings)
    for (int64_t classes : {1, 4}) {
      Numbers numbers(static_cast<uint32_t>(classes));
      const int64_t n = 3, count = 70;
      const auto boxes = crowded_boxes(numbers, n * count * classes);
      const auto scores = numbers.vector(n * classes * count, -1, 1);
      const std::vector<int32_t> counts = {67, 0, 200};
      BoxScores in = {boxes.data(), scores.data(), nullptr, n, classes, count, true};
      const size_t of_all = expect_the_reference(in, p);
      in.counts = counts.data();
      EXPECT_LT(expect_the_reference(in, p), of_all);
    }
}

TEST(Nms, EqualsTheReferenceOfLevels) {
  for (Nms p : kProposalSettings) {
    p.agnostic = false;
    Numbers numbers(7);
    const auto boxes = crowded_boxes(numbers, 2 * 100), scores = numbers.vector(2 * 100, -1, 1);
    BoxScores in = shared_boxes(boxes, scores, 2, 1);
    const std::vector<int32_t> counts = {100, 75};
    in.counts = counts.data();
    p.levels = {60, 0, 33, 7};
    expect_the_reference(in, p);
    p.levels = {100};
    expect_the_reference(in, p);
  }
}

TEST(Nms, EqualsTheReferenceOfThousandsOfScoresWithTies) {
  Numbers numbers(9);
  const auto boxes = crowded_boxes(numbers, 1500);
  std::vector<float> scores;
  for (int i = 0; i < 1500; ++i)  // of both signs and many magnitudes
    scores.push_back(
        std::ldexp(static_cast<float>(numbers.next() % 9) - 4, static_cast<int>(numbers.next() % 60)));
  for (const int top_k : {0, 200, 700, 1499})
    expect_the_reference(shared_boxes(boxes, scores, 1, 1),
                         {.score_threshold = -kInfinity, .top_k = top_k, .iou_threshold = 0.6f});
}

TEST(Nms, OverlapsOfExactlyTheThresholdGoByTheRule) {
  // Two unit boxes that share half of each: 0.5 / 1.5. As a float quotient, exactly.
  const std::vector<float> boxes = {0, 0, 1, 1, 0.5f, 0, 1.5f, 1};
  const float third = 0.5f / 1.5f;
  EXPECT_EQ(select(boxes, {0.9f, 0.8f}, 1, 1, {.iou_threshold = third})[0].size(), 2u);
  EXPECT_EQ(select(boxes, {0.9f, 0.8f}, 1, 1, {.iou_threshold = std::nextafter(third, 0.0f)})[0].size(), 1u);
  EXPECT_EQ(
      select(boxes, {0.9f, 0.8f}, 1, 1, {.iou_threshold = third, .rule = Suppress::GreaterEqual})[0].size(),
      1u);
  EXPECT_EQ(select(boxes, {0.9f, 0.8f}, 1, 1,
                   {.iou_threshold = std::nextafter(third, 1.0f), .rule = Suppress::GreaterEqual})[0]
                .size(),
            2u);
}

TEST(Nms, LogitsBeyondOneSigmoidKeepTheOrderOfTheirLevel) {
  // 20, 30 and 40 have the sigmoid 1: of the first level 40 stands before 20, then comes the second level.
  std::vector<float> boxes;
  for (int i = 0; i < 3; ++i)
    for (float v : {0.0f, 0.0f, 1.0f, 1.0f}) boxes.push_back(v + 2 * static_cast<float>(i));
  const auto found = select(boxes, {20, 40, 30}, 1, 1, {.sigmoid = true, .levels = {2, 1}});
  std::vector<std::pair<float, float>> order;  // score, x1
  for (const Row& r : found[0]) order.emplace_back(r[4], r[0]);
  EXPECT_EQ(order, (std::vector<std::pair<float, float>>{{1, 2}, {1, 0}, {1, 4}}));
}

TEST(Nms, SmallBoxesCountAmongTheTopButSuppressNothing) {
  const std::vector<float> boxes = {0, 0, 0.1f, 9, 0, 0, 0.1f, 9.1f, 0, 0, 0.11f, 9, 0, 0, 5, 9};
  const Nms p = {.top_k = 3, .min_size = 0.11f, .max_detections = 3};
  const auto found = select(boxes, {0.9f, 0.8f, 0.7f, 0.6f}, 1, 1, p);
  ASSERT_EQ(found[0].size(), 1u);
  EXPECT_EQ(found[0][0][2], 0.11f);
}

TEST(Nms, AllScoresButNanAndMinusInfinityPassMinusInfinity) {
  const std::vector<float> boxes = {0, 0, 1, 1, 2, 0, 3, 1, 4, 0, 5, 1};
  const auto found = select(boxes, {kNan, -kInfinity, -3e38f}, 1, 1, {.score_threshold = -kInfinity});
  ASSERT_EQ(found[0].size(), 1u);
  EXPECT_EQ(found[0][0][0], 4);
}

// Where a quotient rounds to the threshold, no shortcut may decide otherwise than the quotient.
TEST(Nms, DecidesAsTheQuotientDoesForOverlapsAroundTheThreshold) {
  Numbers numbers(5);
  for (int trial = 0; trial < 200; ++trial) {
    const auto boxes = crowded_boxes(numbers, 2);
    const Box a = {boxes[0], boxes[1], boxes[2], boxes[3]}, b = {boxes[4], boxes[5], boxes[6], boxes[7]};
    const float overlap = iou(a, b);
    for (const float t : {std::nextafter(overlap, 0.0f), overlap, std::nextafter(overlap, 1.0f)})
      for (const Suppress rule : {Suppress::Greater, Suppress::GreaterEqual}) {
        const bool goes = rule == Suppress::Greater ? overlap > t : overlap >= t;
        ASSERT_EQ(select(boxes, {0.9f, 0.8f}, 1, 1, {.iou_threshold = t, .rule = rule})[0].size(),
                  goes ? 1u : 2u);
      }
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

TEST(Nms, ClassesDoNotSuppressOneAnother) {
  EXPECT_EQ(select({0, 0, 1, 1}, {0.9f, 0.8f}, 1, 2, {})[0].size(), 2u);
}

TEST(Nms, NaNNeverWinsAndNeverSuppresses) {
  const std::vector<float> boxes = {0, 0, 1, 1, 0, 0, kNan, 1, -kInfinity, 0, 1, 1, 0, 0, 1, 1};
  const auto found = select(boxes, {kNan, 0.9f, 0.8f, 0.7f}, 1, 1, {});
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
