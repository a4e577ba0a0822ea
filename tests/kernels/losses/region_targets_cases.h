// What anchor_targets and proposal_targets promise, for CPU and CUDA, beside chainercv's Python. `run` does
// the one or the other.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/losses/anchor_targets.h"
#include "kernels/losses/proposal_targets.h"
#include "kernels/losses/sample_order_math.h"

namespace tyto::kernels::targets {

template <class C>
inline constexpr C kNan = std::numeric_limits<C>::quiet_NaN();

template <class C>
struct Objects {
  int64_t batch = 1, capacity = 1;
  std::vector<C> boxes;
  std::vector<int32_t> classes, counts;

  int64_t there(int64_t b) const { return counts.empty() ? capacity : counts[static_cast<size_t>(b)]; }
};

template <class C>
struct AnchorCase {
  std::vector<C> anchors, sizes;
  Objects<C> objects;
  AnchorTargets options;
  std::vector<uint32_t> priorities;  // empty: of the seed
  uint64_t seed = 0;

  int64_t count() const { return static_cast<int64_t>(anchors.size() / 4); }
};

template <class C>
struct AnchorResult {
  std::vector<int32_t> labels;
  std::vector<C> locations;
  LossStatus status = 0;
};

template <class C>
struct RegionCase {
  int64_t capacity = 1;
  int stride = 4;
  std::vector<C> rows;
  std::vector<int32_t> counts;
  Objects<C> objects;
  ProposalTargets options;
  std::vector<uint32_t> priorities;
  uint64_t seed = 0;
};

template <class C>
struct RegionResult {
  std::vector<C> rois;
  std::vector<int32_t> labels;
  std::vector<C> locations;
  std::vector<int32_t> counts;
  LossStatus status = 0;
};

// numpy's arrays of boxes, as rows of four.
template <class C>
using Rows = std::vector<std::array<C, 4>>;

template <class C>
Rows<C> rows_of(const C* from, int64_t n, int64_t stride = 4) {
  Rows<C> rows;
  for (int64_t i = 0; i < n; ++i)
    rows.push_back({from[i * stride], from[i * stride + 1], from[i * stride + 2], from[i * stride + 3]});
  return rows;
}

// chainercv.utils.bbox_iou: [a, b].
template <class C>
std::vector<std::vector<C>> bbox_iou(const Rows<C>& a, const Rows<C>& b) {
  std::vector<std::vector<C>> all;
  for (const auto& p : a) {
    all.emplace_back();
    for (const auto& q : b) {
      const C left = std::max(p[0], q[0]), top = std::max(p[1], q[1]);
      const C right = std::min(p[2], q[2]), bottom = std::min(p[3], q[3]);
      const C shared = left < right && top < bottom ? (right - left) * (bottom - top) : 0;
      const C of_p = (p[2] - p[0]) * (p[3] - p[1]), of_q = (q[2] - q[0]) * (q[3] - q[1]);
      const C iou = shared / (of_p + of_q - shared);
      all.back().push_back(iou > 0 ? iou : 0);  // what the header adds: no NaN
    }
  }
  return all;
}

// chainercv.links.model.faster_rcnn.bbox2loc, of x first boxes.
template <class C>
std::array<C, 4> bbox2loc(const std::array<C, 4>& from, const std::array<C, 4>& to) {
  C height = from[3] - from[1], width = from[2] - from[0];
  const C y = from[1] + C{0.5} * height, x = from[0] + C{0.5} * width;
  const C base_height = to[3] - to[1], base_width = to[2] - to[0];
  const C base_y = to[1] + C{0.5} * base_height, base_x = to[0] + C{0.5} * base_width;
  const C eps = std::numeric_limits<C>::epsilon();
  height = std::max(height, eps);
  width = std::max(width, eps);
  return {(base_y - y) / height, (base_x - x) / width, std::log(base_height / height),
          std::log(base_width / width)};
}

// np.random.choice(index, size, replace=False) as the header has it.
inline std::vector<int64_t> choice(std::vector<int64_t> index, int64_t size,
                                   const std::vector<uint32_t>& priorities) {
  std::stable_sort(index.begin(), index.end(), [&](int64_t a, int64_t b) {
    return priorities[static_cast<size_t>(a)] < priorities[static_cast<size_t>(b)];
  });
  index.resize(static_cast<size_t>(size));
  return index;
}

template <class C>
size_t argmax(const std::vector<C>& v) {
  return static_cast<size_t>(std::max_element(v.begin(), v.end()) - v.begin());
}

inline std::vector<uint32_t> priorities_of(const std::vector<uint32_t>& given, uint64_t seed,
                                           SamplePurpose purpose, int64_t b, int64_t n) {
  std::vector<uint32_t> out;
  for (int64_t i = 0; i < n; ++i)
    out.push_back(given.empty() ? priority_of({.seed = seed}, purpose, b, n, i)
                                : given[static_cast<size_t>(b * n + i)]);
  return out;
}

// AnchorTargetCreator.__call__ of image b.
template <class C>
void anchor_targets_of_image(const AnchorCase<C>& c, int64_t b, AnchorResult<C>& out) {
  const C height = c.sizes[static_cast<size_t>(2 * b)], width = c.sizes[static_cast<size_t>(2 * b + 1)];
  const auto anchors = rows_of(c.anchors.data(), c.count());
  const auto bbox = rows_of(c.objects.boxes.data() + 4 * b * c.objects.capacity, c.objects.there(b));
  std::vector<int64_t> inside;
  Rows<C> anchor;
  for (size_t i = 0; i < anchors.size(); ++i)
    if (anchors[i][0] >= 0 && anchors[i][1] >= 0 && anchors[i][2] <= width && anchors[i][3] <= height) {
      inside.push_back(static_cast<int64_t>(i));
      anchor.push_back(anchors[i]);
    }
  const auto ious = bbox_iou(anchor, bbox);
  std::vector<int32_t> label(inside.size(), -1);
  std::vector<size_t> argmax_ious(inside.size());
  std::vector<C> max_ious(inside.size());
  for (size_t i = 0; i < inside.size() && !bbox.empty(); ++i) {
    argmax_ious[i] = argmax(ious[i]);
    max_ious[i] = ious[i][argmax_ious[i]];
  }
  for (size_t i = 0; i < inside.size(); ++i)
    if (max_ious[i] < static_cast<C>(c.options.negative_iou)) label[i] = 0;
  for (size_t j = 0; j < bbox.size() && !inside.empty(); ++j) {
    C gt_max_iou = 0;
    for (const auto& row : ious) gt_max_iou = std::max(gt_max_iou, row[j]);
    for (size_t i = 0; i < inside.size(); ++i)
      if (ious[i][j] == gt_max_iou) label[i] = 1;
  }
  for (size_t i = 0; i < inside.size(); ++i)
    if (max_ious[i] >= static_cast<C>(c.options.positive_iou)) label[i] = 1;
  const auto priorities = priorities_of(c.priorities, c.seed, SamplePurpose::Anchors, b, c.count());
  const auto subsample = [&](int32_t of, int64_t n) {  // keeps n of a label
    std::vector<int64_t> index;
    for (size_t i = 0; i < inside.size(); ++i)
      if (label[i] == of) index.push_back(inside[i]);
    if (static_cast<int64_t>(index.size()) <= n) return;
    const auto kept = choice(index, n, priorities);
    for (size_t i = 0; i < inside.size(); ++i)
      if (label[i] == of && std::find(kept.begin(), kept.end(), inside[i]) == kept.end()) label[i] = -1;
  };
  subsample(1, static_cast<int64_t>(c.options.positive_share * c.options.samples));
  subsample(0, c.options.samples - std::count(label.begin(), label.end(), 1));
  for (size_t i = 0; i < inside.size(); ++i) {
    const auto at = static_cast<size_t>(b * c.count() + inside[i]);
    out.labels[at] = label[i];
    if (bbox.empty()) continue;
    const auto loc = bbox2loc(anchor[i], bbox[argmax_ious[i]]);
    std::copy(loc.begin(), loc.end(), out.locations.begin() + static_cast<std::ptrdiff_t>(4 * at));
  }
}

template <class C>
AnchorResult<C> reference(const AnchorCase<C>& c) {
  const auto all = static_cast<size_t>(c.objects.batch * c.count());
  AnchorResult<C> out{std::vector<int32_t>(all, -1), std::vector<C>(4 * all), 0};
  for (int64_t b = 0; b < c.objects.batch; ++b) anchor_targets_of_image(c, b, out);
  return out;
}

// ProposalTargetCreator.__call__ of image b.
template <class C>
void proposal_targets_of_image(const RegionCase<C>& c, int64_t b, RegionResult<C>& out) {
  const ProposalTargets& o = c.options;
  const auto capacity = static_cast<size_t>(c.capacity);
  const int64_t proposed = c.counts.empty() ? c.capacity : c.counts[static_cast<size_t>(b)];
  auto roi = rows_of(c.rows.data() + b * c.capacity * c.stride, proposed, c.stride);
  const auto bbox = rows_of(c.objects.boxes.data() + 4 * b * c.objects.capacity, c.objects.there(b));
  std::vector<int64_t> candidates;  // what the regions are called where there are priorities
  for (int64_t i = 0; i < proposed; ++i) candidates.push_back(i);
  for (size_t j = 0; j < bbox.size(); ++j) candidates.push_back(static_cast<int64_t>(capacity + j));
  roi.insert(roi.end(), bbox.begin(), bbox.end());
  const auto iou = bbox_iou(roi, bbox);
  const auto priorities =
      priorities_of(c.priorities, c.seed, SamplePurpose::Regions, b, c.capacity + c.objects.capacity);
  std::vector<int64_t> positive, negative;
  std::vector<size_t> assignment(roi.size());
  for (size_t i = 0; i < roi.size(); ++i) {
    C max_iou = 0;
    if (!bbox.empty()) {
      assignment[i] = argmax(iou[i]);
      max_iou = iou[i][assignment[i]];
    }
    if (!bbox.empty() && max_iou >= static_cast<C>(o.positive_iou))
      positive.push_back(candidates[i]);
    else if (bbox.empty() ||
             (max_iou < static_cast<C>(o.negative_below) && max_iou >= static_cast<C>(o.negative_from)))
      negative.push_back(candidates[i]);
  }
  const auto take = [&](std::vector<int64_t> index, int64_t most) {
    index = choice(index, std::min(most, static_cast<int64_t>(index.size())), priorities);
    std::sort(index.begin(), index.end());
    return index;
  };
  positive = take(positive, std::lrint(o.samples * o.positive_share));
  negative = take(negative, o.samples - static_cast<int64_t>(positive.size()));
  size_t to = static_cast<size_t>(b * o.samples);
  out.counts[static_cast<size_t>(b)] = static_cast<int32_t>(positive.size() + negative.size());
  for (const auto* kept : {&positive, &negative})
    for (int64_t candidate : *kept) {
      const auto i = static_cast<size_t>(std::find(candidates.begin(), candidates.end(), candidate) -
                                         candidates.begin());
      std::copy(roi[i].begin(), roi[i].end(), out.rois.begin() + static_cast<std::ptrdiff_t>(4 * to));
      out.labels[to] =
          kept == &positive
              ? c.objects.classes[static_cast<size_t>(b * c.objects.capacity) + assignment[i]] + 1
              : 0;
      if (!bbox.empty()) {
        const auto loc = bbox2loc(roi[i], bbox[assignment[i]]);
        for (size_t k = 0; k < 4; ++k)
          out.locations[4 * to + k] = (loc[k] - static_cast<C>(o.mean[k])) / static_cast<C>(o.deviation[k]);
      }
      ++to;
    }
}

template <class C>
RegionResult<C> reference(const RegionCase<C>& c) {
  const auto all = static_cast<size_t>(c.objects.batch * c.options.samples);
  RegionResult<C> out{std::vector<C>(4 * all), std::vector<int32_t>(all, -1), std::vector<C>(4 * all),
                      std::vector<int32_t>(static_cast<size_t>(c.objects.batch)), 0};
  for (int64_t b = 0; b < c.objects.batch; ++b) proposal_targets_of_image(c, b, out);
  return out;
}

// Corners of whole pixels, some outside of 0..size.
template <class C>
std::vector<C> random_boxes(int64_t n, int size, int least, int most, std::mt19937& random) {
  std::vector<C> out;
  const auto draw = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  for (int64_t i = 0; i < n; ++i) {
    const int x = draw(size) - size / 16, y = draw(size) - size / 16;
    for (int v : {x, y, x + least + draw(most - least), y + least + draw(most - least)})
      out.push_back(static_cast<C>(v));
  }
  return out;
}

template <class C>
Objects<C> random_objects(int64_t batch, int64_t capacity, int size, std::mt19937& random) {
  Objects<C> out{.batch = batch, .capacity = capacity};
  out.boxes = random_boxes<C>(batch * capacity, size * 3 / 4, 8, size / 3, random);
  for (int64_t i = 0; i < batch * capacity; ++i) out.classes.push_back(static_cast<int32_t>(random() % 20));
  for (int64_t b = 0; b < batch; ++b)
    out.counts.push_back(static_cast<int32_t>(b * capacity / std::max<int64_t>(batch - 1, 1)));
  return out;
}

// Images of 100 x 100 with none to all of the capacity of objects. Few priorities differ.
template <class C>
AnchorCase<C> random_anchors(int64_t batch, int64_t count, int64_t capacity, int samples, uint32_t seed) {
  std::mt19937 random(seed);
  AnchorCase<C> c;
  c.anchors = random_boxes<C>(count, 100, 6, 40, random);
  c.objects = random_objects<C>(batch, capacity, 100, random);
  for (int64_t b = 0; b < batch; ++b) c.sizes.insert(c.sizes.end(), {C{100}, C{90}});
  c.options.samples = samples;
  for (int64_t i = 0; i < batch * count; ++i) c.priorities.push_back(random() % 7 << 27);
  return c;
}

template <class C>
RegionCase<C> random_regions(int64_t batch, int64_t capacity, int64_t objects, int samples, uint32_t seed) {
  std::mt19937 random(seed);
  RegionCase<C> c{.capacity = capacity, .stride = 6};
  const auto boxes = random_boxes<C>(batch * capacity, 100, 6, 40, random);
  for (size_t i = 0; i < boxes.size(); i += 4) {
    c.rows.insert(c.rows.end(), boxes.begin() + static_cast<std::ptrdiff_t>(i),
                  boxes.begin() + static_cast<std::ptrdiff_t>(i + 4));
    c.rows.insert(c.rows.end(), 2, kNan<C>);
  }
  for (int64_t b = 0; b < batch; ++b) c.counts.push_back(static_cast<int32_t>(capacity - b));
  c.objects = random_objects<C>(batch, objects, 100, random);
  c.options.samples = samples;
  for (int64_t i = 0; i < batch * (capacity + objects); ++i) c.priorities.push_back(random() % 7 << 27);
  return c;
}

// logarithm.h is within 2 units in the last place, as is std::log within 1.
template <class C>
void expect_offsets(const std::vector<C>& got, const std::vector<C>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isinf(want[i]) || i % 4 < 2)
      ASSERT_EQ(got[i], want[i]) << i;
    else
      ASSERT_NEAR(got[i], want[i], 3 * std::numeric_limits<C>::epsilon() * std::abs(want[i])) << i;
  }
}

template <class C, class Run>
void expect_reference(const Run& run, const AnchorCase<C>& c, LossStatus status = 0) {
  const AnchorResult<C> got = run(c), want = reference(c);
  EXPECT_EQ(got.labels, want.labels);
  expect_offsets(got.locations, want.locations);
  EXPECT_EQ(got.status, status) << describe(got.status);
}

template <class C, class Run>
void expect_reference(const Run& run, const RegionCase<C>& c, LossStatus status = 0) {
  const RegionResult<C> got = run(c), want = reference(c);
  EXPECT_EQ(got.rois, want.rois);
  EXPECT_EQ(got.labels, want.labels);
  EXPECT_EQ(got.counts, want.counts);
  expect_offsets(got.locations, want.locations);
  EXPECT_EQ(got.status, status) << describe(got.status);
}

// count: more than what a thread, a warp or a block takes at a time.
template <class Run>
void anchors_equal_chainercv(const Run& run, int64_t count, int64_t capacity) {
  for (const int samples : {5, 64, 4096}) {
    auto c = random_anchors<float>(3, count, capacity, samples, 1);
    expect_reference(run, c);
    c.priorities.clear();
    c.seed = 0x123456789abcdef0u;
    expect_reference(run, c);
  }
  auto c = random_anchors<double>(2, count, capacity, 32, 2);
  c.options.positive_share = 0.3;
  c.options.positive_iou = 0.5;
  c.options.negative_iou = 0.2;
  expect_reference(run, c);
  c.objects.counts.clear();
  expect_reference(run, c);
}

// An object whose best IoU is 0 makes all anchors positive that are within the image, those on others too.
template <class Run>
void an_object_without_anchors_makes_all_positive(const Run& run) {
  AnchorCase<float> c;
  c.anchors = {10, 10, 30, 30, 40, 10, 60, 30, 70, 70, 90, 90, -1, 0, 20, 20};
  c.sizes = {100, 100};
  c.objects = {1, 2, {11, 11, 31, 31, 92, 2, 99, 8}, {}, {}};
  const auto got = run(c);
  EXPECT_EQ(got.labels, (std::vector<int32_t>{1, 1, 1, -1}));
  expect_reference(run, c);
  c.objects.counts = {1};  // without that object
  EXPECT_EQ(run(c).labels, (std::vector<int32_t>{1, 0, 0, -1}));
}

template <class Run>
void anchors_without_objects_are_negative(const Run& run) {
  auto c = random_anchors<float>(1, 40, 2, 256, 3);
  c.objects.counts = {0};
  const auto got = run(c);
  EXPECT_EQ(std::count(got.labels.begin(), got.labels.end(), 1), 0);
  EXPECT_GT(std::count(got.labels.begin(), got.labels.end(), 0), 0);
  EXPECT_EQ(got.locations, std::vector<float>(160));
  expect_reference(run, c);
  c.objects = {1, 0, {}, {}, {}};
  expect_reference(run, c);
  c.anchors.clear();
  c.priorities.clear();
  EXPECT_TRUE(run(c).labels.empty());
}

template <class Run>
void anchors_outside_are_ignored(const Run& run) {
  auto c = random_anchors<float>(1, 40, 3, 256, 4);
  c.objects.counts = {3};
  c.sizes = {5, 5};
  const auto got = run(c);
  EXPECT_EQ(got.labels, std::vector<int32_t>(40, -1));
  EXPECT_EQ(got.locations, std::vector<float>(160));
  const float inf = std::numeric_limits<float>::infinity();
  c.anchors = {kNan<float>, 1, 2, 2, inf, 1, 2, 2, 1, 1, -inf, 2, 0, 0, 5, 5};  // the last fills the image
  c.priorities.clear();
  c.objects.counts = {1};
  c.objects.boxes = {0, 0, 5, 5, 0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(run(c).labels, (std::vector<int32_t>{-1, -1, -1, 1}));
}

template <class Run>
void faulty_objects_spoil_their_image(const Run& run) {
  const auto sound = random_anchors<float>(3, 50, 3, 16, 5);
  for (const float bad : {kNan<float>, std::numeric_limits<float>::infinity()}) {
    auto c = sound;
    c.objects.counts = {3, 3, 2};
    const auto want = run(c);
    c.objects.boxes[4 * 4 + 3] = bad;
    c.objects.boxes[4 * 8] = bad;  // not there
    const auto got = run(c);
    EXPECT_EQ(got.status, loss_status(LossFault::NotFinite, LossInput::Boxes, 4));
    for (size_t i = 0; i < 150; ++i) {
      const bool spoiled = i / 50 == 1;
      EXPECT_EQ(got.labels[i], spoiled ? kNoLabel : want.labels[i]) << i;
      for (size_t k = 4 * i; k < 4 * i + 4; ++k)
        EXPECT_TRUE(spoiled ? std::isnan(got.locations[k]) : got.locations[k] == want.locations[k]) << k;
    }
  }
  auto c = sound;
  c.objects.counts = {3, 3, 3};
  c.objects.boxes[4 * 3 + 2] = c.objects.boxes[4 * 3];  // without width
  expect_reference(run, c, loss_status(LossFault::Box, LossInput::Boxes, 3));
  c = sound;
  c.objects.counts = {-1, 2, 4};
  const auto got = run(c);
  EXPECT_EQ(got.status, loss_status(LossFault::Label, LossInput::Boxes, 0));
  c.objects.counts = {0, 2, 3};
  EXPECT_EQ(got.labels, run(c).labels);
}

template <class Run>
void regions_equal_chainercv(const Run& run, int64_t capacity, int64_t objects) {
  for (const int samples : {5, 64, 1024}) {
    auto c = random_regions<float>(3, capacity, objects, samples, 1);
    expect_reference(run, c);
    c.priorities.clear();
    c.seed = 77;
    expect_reference(run, c);
  }
  auto c = random_regions<double>(2, capacity, objects, 30, 2);
  c.counts.clear();
  c.objects.counts.clear();
  c.options.positive_share = 0.35;  // 10.5: half to even
  c.options.positive_iou = 0.4;
  c.options.negative_below = 0.3;
  c.options.negative_from = 0.1;
  c.options.mean = {0.1, -0.2, 0.3, 0.5};
  expect_reference(run, c);
}

template <class Run>
void regions_without_objects_are_negative(const Run& run) {
  auto c = random_regions<float>(2, 20, 2, 8, 3);
  c.objects.counts = {0, 1};
  c.options.negative_from = 0.1;
  const auto got = run(c);
  EXPECT_EQ(got.counts[0], 8);
  EXPECT_EQ(got.labels[0], 0);
  expect_reference(run, c);
  c.counts = {0, 0};  // the object alone
  expect_reference(run, c);
  EXPECT_EQ(run(c).counts, (std::vector<int32_t>{0, 1}));
}

template <class Run>
void faulty_regions_spoil_their_image(const Run& run) {
  const auto sound = random_regions<float>(3, 20, 3, 8, 5);
  const auto spoil = [&](auto change, LossStatus status) {
    auto c = sound;
    c.counts = {20, 19, 18};
    c.objects.counts = {3, 3, 2};
    const auto want = run(c);
    change(c);
    const auto got = run(c);
    EXPECT_EQ(got.status, status) << describe(got.status);
    for (size_t i = 0; i < 24; ++i) {
      const bool spoiled = i / 8 == 1;
      EXPECT_EQ(got.labels[i], spoiled ? kNoLabel : want.labels[i]) << i;
      for (size_t k = 4 * i; k < 4 * i + 4; ++k) {
        EXPECT_TRUE(spoiled ? std::isnan(got.locations[k]) : got.locations[k] == want.locations[k]) << k;
        EXPECT_TRUE(spoiled ? std::isnan(got.rois[k]) : got.rois[k] == want.rois[k]) << k;
      }
    }
    EXPECT_EQ(got.counts, (std::vector<int32_t>{want.counts[0], 0, want.counts[2]}));
  };
  const float inf = std::numeric_limits<float>::infinity();
  spoil([&](auto& c) { c.rows[6 * 38 + 1] = inf, c.rows[6 * 39] = kNan<float>; },  // 39 is not there
        loss_status(LossFault::NotFinite, LossInput::Rois, 38));
  spoil([&](auto& c) { c.objects.boxes[4 * 5] = -inf; },
        loss_status(LossFault::NotFinite, LossInput::Boxes, 5));
  spoil([&](auto& c) { c.objects.classes[4] = c.objects.classes[8] = -1; },  // 8 is not there
        loss_status(LossFault::Label, LossInput::Labels, 4));
  auto c = sound;
  c.objects.counts = {3, 3, 3};
  c.objects.boxes[4 * 7 + 3] = c.objects.boxes[4 * 7 + 1];
  c.rows[2] = c.rows[0];  // a region without width is like any other
  expect_reference(run, c, loss_status(LossFault::Box, LossInput::Boxes, 7));
  c = sound;
  c.counts = {21, -3, 20};
  const auto got = run(c);
  EXPECT_EQ(got.status, loss_status(LossFault::Label, LossInput::Rois, 0));
  c.counts = {20, 0, 20};
  EXPECT_EQ(got.rois, run(c).rois);
}

}  // namespace tyto::kernels::targets
