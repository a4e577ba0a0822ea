// What matching, mining and the MultiBox loss must do on every device. A Device has Array<E>, memory with
// data() and download(), and match(), mine() and loss(), the functions under test.
#pragma once

#include <gtest/gtest.h>

#include <limits>

#include "kernels/common/host_elements.h"
#include "kernels/losses/gradient_check.h"
#include "kernels/losses/multibox_case.h"

namespace tyto::kernels {

// What holds an element without the toolkit.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, Computed<T>>, T, uint16_t>;

template <class T>
std::vector<Stored<T>> stored(const std::vector<double>& values) {
  std::vector<Stored<T>> out(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    set_host_element(reinterpret_cast<T*>(out.data()), static_cast<int64_t>(i),
                     static_cast<Computed<T>>(values[i]));
  return out;
}

template <class T>
std::vector<double> doubles_of(const std::vector<Stored<T>>& values) {
  std::vector<double> out;
  for (size_t i = 0; i < values.size(); ++i)
    out.push_back(host_element(reinterpret_cast<const T*>(values.data()), static_cast<int64_t>(i)));
  return out;
}

// The case with numbers that T and what it computes in can hold.
template <class T>
MultiboxCase rounded_case(MultiboxCase c) {
  c.locations = doubles_of<T>(stored<T>(c.locations));
  c.logits = doubles_of<T>(stored<T>(c.logits));
  for (auto* boxes : {&c.boxes, &c.prior_boxes})
    *boxes = doubles_of<Computed<T>>(stored<Computed<T>>(*boxes));
  return c;
}

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(),
                 kInfinity = std::numeric_limits<double>::infinity();

// The arrays of a case on the device.
template <class Device, class T>
struct MultiboxArrays {
  using C = Computed<T>;
  template <class E>
  using Array = typename Device::template Array<E>;

  const MultiboxCase& c;
  Array<Stored<T>> locations, logits;
  Array<C> boxes, prior_boxes;
  Array<int32_t> classes, counts;

  explicit MultiboxArrays(const MultiboxCase& of)
      : c(of),
        locations(stored<T>(of.locations)),
        logits(stored<T>(of.logits)),
        boxes(stored<C>(of.boxes)),
        prior_boxes(stored<C>(of.prior_boxes)),
        classes(of.object_classes),
        counts(of.counts) {}

  ImageObjects<C> objects() const {
    return {boxes.data(), classes.data(), c.counts.empty() ? nullptr : counts.data(), c.batch, c.capacity};
  }
  Priors<C> priors() const { return {prior_boxes.data(), c.priors, c.corners}; }
};

struct Matched {
  std::vector<int32_t> labels, objects;
  std::vector<double> targets;
  LossStatus status;
};

template <class Device, class C>
Matched match_on(const MultiboxCase& c, bool labels_alone = false) {
  const MultiboxArrays<Device, C> in(c);
  const std::vector<int32_t> untouched(c.rows(), 77);
  typename Device::template Array<int32_t> labels(untouched), objects(untouched);
  typename Device::template Array<C> targets(std::vector<C>(4 * c.rows(), 77));
  typename Device::template Array<LossStatus> status(std::vector<LossStatus>{0});
  MatchPriors p = c.loss.match;
  p.classes = c.classes;
  MatchedPriors<C> out = {labels.data(), objects.data(), targets.data(), status.data()};
  if (labels_alone) out = {labels.data(), nullptr, nullptr, nullptr};
  Device::match(in.objects(), in.priors(), p, out);
  return {labels.download(), objects.download(), doubles_of<C>(targets.download()), status.download()[0]};
}

struct Mined {
  std::vector<uint8_t> selected;
  std::vector<int32_t> positives;
  LossStatus status;
};

template <class Device, class T>
Mined mine_on(const MultiboxCase& c, const std::vector<int32_t>& labels) {
  const MultiboxArrays<Device, T> in(c);
  const typename Device::template Array<int32_t> labels_there(labels);
  typename Device::template Array<uint8_t> selected(std::vector<uint8_t>(c.rows(), 77));
  typename Device::template Array<int32_t> positives(std::vector<int32_t>(static_cast<size_t>(c.batch), 77));
  typename Device::template Array<LossStatus> status(std::vector<LossStatus>{0});
  Device::mine(RowsToMine<T>{reinterpret_cast<const T*>(in.logits.data()), labels_there.data(), c.batch,
                             c.priors, c.classes},
               c.loss.mine, {selected.data(), positives.data(), status.data()});
  return {selected.download(), positives.download(), status.download()[0]};
}

// Gradients as they are, scaled.
template <class Device, class T>
MultiboxResult loss_on(const MultiboxCase& c, bool value_alone = false) {
  const MultiboxArrays<Device, T> in(c);
  const std::vector<double> of_locations(c.locations.size(), 77), of_logits(c.logits.size(), 77);
  typename Device::template Array<Stored<T>> locations(stored<T>(of_locations)), logits(stored<T>(of_logits));
  typename Device::template Array<Computed<T>> value(std::vector<Computed<T>>(3, 77));
  typename Device::template Array<LossStatus> status(std::vector<LossStatus>{0});
  MultiboxOutput<T> out = {value.data(), reinterpret_cast<T*>(locations.data()),
                           reinterpret_cast<T*>(logits.data()), c.scale, status.data()};
  if (value_alone) out = {.value = value.data()};
  Device::loss(
      MultiboxInput<T>{reinterpret_cast<const T*>(in.locations.data()),
                       reinterpret_cast<const T*>(in.logits.data()), c.classes, in.objects(), in.priors()},
      c.loss, out);
  return {doubles_of<Computed<T>>(value.download()), doubles_of<T>(locations.download()),
          doubles_of<T>(logits.download()), status.download()[0]};
}

inline constexpr MultiboxReference kReferences[] = {MultiboxReference::SsdPytorch, MultiboxReference::Fork,
                                                    MultiboxReference::Bubbliiiing,
                                                    MultiboxReference::Torchvision};

inline void expect_near(const std::vector<double>& got, const std::vector<double>& want, double absolute,
                        double relative, const char* what) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i)
    ASSERT_NEAR(got[i], want[i], absolute + relative * std::abs(want[i])) << what << " " << i;
}

// The same labels and rows, and numbers within what T's rounding allows. Sides are at least 0.1 and the
// variance 0.1, so that an offset carries 100 roundings of coordinates up to 1, and their divisions'; a sum
// of exponentials has one of each class and its logit; gradients in halves are rounded once more.
template <class Device, class T>
void expect_equals_reference(const MultiboxCase& original) {
  using C = Computed<T>;
  const MultiboxCase c = rounded_case<T>(original);
  const double eps = std::numeric_limits<C>::epsilon();
  const double rounding = std::is_same_v<T, C> ? eps : std::is_same_v<T, Half> ? 0x1p-11 : 0x1p-8;
  const double of_row = (static_cast<double>(c.classes) + 8) * eps, of_offset = 400 * eps;

  const MatchedReference want = match_reference(c);
  const Matched matched = match_on<Device, C>(c);
  EXPECT_EQ(matched.labels, want.labels);
  EXPECT_EQ(matched.objects, want.objects);
  expect_near(matched.targets, want.targets, of_offset, 8 * eps, "target");
  EXPECT_EQ(matched.status, 0u);

  const std::vector<uint8_t> selected = mine_reference(c, want.labels);
  const Mined mined = mine_on<Device, T>(c, want.labels);
  EXPECT_EQ(mined.selected, selected);
  for (size_t image = 0; image < mined.positives.size(); ++image) {
    const auto first = selected.begin() + static_cast<long>(image) * c.priors;
    EXPECT_EQ(mined.positives[image], std::count_if(first, first + c.priors, [](int s) { return s & 1; }));
  }
  EXPECT_EQ(mined.status, 0u);

  const MultiboxResult loss = loss_reference(c), got = loss_on<Device, T>(c);
  const auto rows =
      static_cast<double>(std::count_if(selected.begin(), selected.end(), [](int s) { return s != 0; }));
  expect_near(got.value, loss.value, (4 * of_offset + of_row) * 2 * rows / loss.value[2], 4 * eps, "value");
  // Below fp16's least normal number its roundings are 2^-25.
  const double least = std::is_same_v<T, Half> ? 0x1p-25 : 0;
  expect_near(got.locations, loss.locations, of_offset / loss.value[2] + least, rounding + 4 * eps,
              "location");
  expect_near(got.logits, loss.logits, of_row / loss.value[2] + least, rounding + 4 * eps, "logit");
  EXPECT_EQ(got.status, 0u);
}

// The hard parts of detection.md 2.7: two priors, of which the first is the object's.
inline MultiboxCase golden_case() {
  const double e = std::exp(0.5 * 0.2);
  return {.batch = 1,
          .capacity = 1,
          .priors = 2,
          .classes = 3,
          .prior_boxes = {0.5, 0.5, 0.25, 0.25, 0.9, 0.1, 0.1, 0.1},
          .boxes = {0.5 - 0.125, 0.5 - 0.125 * e, 0.5 + 0.125, 0.5 + 0.125 * e},
          .locations = {0.2, -1.5, 0.3, 2, 5, 5, 5, 5},
          .logits = {0.5, 1, -1, 1, 0.5, 0},
          .object_classes = {1}};
}

template <class Device>
void check_golden() {
  for (const MultiboxReference reference : kReferences) {
    MultiboxCase c = golden_case();
    c.loss = multibox_as(reference);
    if (reference == MultiboxReference::Torchvision) c.object_classes = {2};
    const MultiboxResult got = loss_on<Device, double>(c);
    EXPECT_NEAR(got.value[0], 2.065, 1e-14);
    // torchvision takes 3 rows of 2: the positive once more.
    const bool twice = reference == MultiboxReference::Torchvision;
    const double of_positive = std::log(std::exp(0.5) + std::exp(1) + std::exp(-1)) + 1;
    EXPECT_NEAR(got.value[1] - (twice ? of_positive : 0), 3.23522659, 5e-9);
    EXPECT_EQ(got.value[2], 1);
    expect_near(got.locations, {0.2, -1, 0.3, 1, 0, 0, 0, 0}, 1e-14, 0, "location");
    const double sum = std::exp(1) + std::exp(0.5) + 1;
    expect_near({got.logits.begin() + 3, got.logits.end()},
                {std::exp(1) / sum - 1, std::exp(0.5) / sum, 1 / sum}, 1e-15, 0, "logit");
  }
}

template <class Device>
void check_references() {
  for (const MultiboxReference reference : kReferences) {
    for (const auto& [priors, classes] : {std::pair<int64_t, int64_t>{70, 3}, {33, 33}, {17, 21}}) {
      expect_equals_reference<Device, double>(random_case(3, 5, priors, classes, reference));
      expect_equals_reference<Device, float>(random_case(3, 5, priors, classes, reference));
    }
    expect_equals_reference<Device, Half>(random_case(3, 5, 70, 21, reference));
    expect_equals_reference<Device, BFloat16>(random_case(3, 5, 70, 21, reference));
  }
}

template <class Device>
void check_options() {
  MultiboxCase c = random_case(3, 5, 40, 5, MultiboxReference::SsdPytorch, 7);
  c.loss.match.threshold = 0.3;
  c.loss.match.variance = {0.2, 0.3, 0.4, 0.5};
  for (const Mining rule : {Mining::SsdPytorch, Mining::Torchvision, Mining::Bubbliiiing}) {
    c.loss.mine = {rule, 0.7, 3};
    expect_equals_reference<Device, float>(c);
    c.loss.mine = {rule, 0, 3};
    expect_equals_reference<Device, float>(c);
  }
  c.loss.least_probability = 0.05;
  c.counts = {};
  expect_equals_reference<Device, float>(c);
}

template <class Device>
void check_central_differences(size_t most) {
  for (const MultiboxReference reference : kReferences) {
    const MultiboxCase c = random_case(2, 3, 12, 4, reference, 5);
    const MultiboxResult got = loss_on<Device, double>(c);
    expect_gradient(
        c.locations, got.locations,
        [&c](const std::vector<double>& x) {
          MultiboxCase moved = c;
          moved.locations = x;
          return loss_on<Device, double>(moved, true).value[0];
        },
        64, most);
    expect_gradient(
        c.logits, got.logits,
        [&c](const std::vector<double>& x) {
          MultiboxCase moved = c;
          moved.logits = x;
          return loss_on<Device, double>(moved, true).value[1];
        },
        64, most);
  }
}

// More objects than priors, one prior, objects that are the same box.
template <class Device>
void check_crowds() {
  for (const MultiboxReference reference : kReferences) {
    expect_equals_reference<Device, float>(random_case(4, 6, 3, 5, reference));
    expect_equals_reference<Device, float>(random_case(4, 6, 1, 5, reference));
    MultiboxCase c = random_case(2, 6, 40, 5, reference);
    c.counts = {6, 3};
    for (size_t j = 1; j < 6; ++j)
      std::copy_n(c.boxes.begin(), 4, c.boxes.begin() + static_cast<long>(4 * j));
    expect_equals_reference<Device, float>(c);
    // And priors that are the same box.
    for (size_t i = 1; i < 40; i += 3)
      std::copy_n(c.prior_boxes.begin(), 4, c.prior_boxes.begin() + static_cast<long>(4 * i));
    expect_equals_reference<Device, float>(c);
  }
}

// An overlap of exactly the threshold is enough for some references.
template <class Device>
void check_threshold() {
  for (const MultiboxReference reference : kReferences) {
    MultiboxCase c = random_case(1, 1, 3, 3, reference);
    c.corners = true;
    c.prior_boxes = {0, 0, 1, 1, 0, 0, 1, 0.5, 0, 0, 1, 0.25};  // overlaps of 1/2, 1 and 1/2
    c.boxes = {0, 0, 1, 0.5};
    c.counts = {1};
    const int32_t either = reference == MultiboxReference::Bubbliiiing ? -1 : 0;
    EXPECT_EQ((match_on<Device, float>(c).objects), (std::vector<int32_t>{either, 0, either}));
    expect_equals_reference<Device, float>(c);
  }
}

// Rows of one loss are taken by their index.
template <class Device>
void check_ties() {
  for (const MultiboxReference reference : kReferences) {
    MultiboxCase c = random_case(3, 5, 40, 3, reference);
    for (size_t i = 0; i < c.logits.size(); i += 3) {
      const double bias = i % 2 == 0 ? 0.5 : -0.5;
      c.logits[i] = bias;
      c.logits[i + 1] = c.logits[i + 2] = -bias;
    }
    expect_equals_reference<Device, float>(c);
    std::fill(c.logits.begin(), c.logits.end(), 0.0);
    expect_equals_reference<Device, float>(c);
    // Losses that round to 0, as that of positives is.
    for (size_t i = 0; i < c.logits.size(); i += 3) c.logits[i] = 500;
    expect_equals_reference<Device, double>(c);
  }
}

// What each reference makes of a batch without objects.
template <class Device>
void check_no_objects() {
  for (const MultiboxReference reference : kReferences) {
    MultiboxCase c = random_case(2, 3, 70, 5, reference);
    c.counts = {0, 0};
    const MultiboxResult got = loss_on<Device, double>(c);
    EXPECT_EQ(got.status, 0u);
    EXPECT_EQ(got.locations, (std::vector<double>(c.locations.size(), 0)));
    if (reference == MultiboxReference::SsdPytorch) {
      EXPECT_TRUE(std::isnan(got.value[0]) && std::isnan(got.value[1]));
      EXPECT_EQ(got.value[2], 0);
      EXPECT_EQ(got.logits, (std::vector<double>(c.logits.size(), 0)));
      continue;
    }
    EXPECT_EQ(got.value[0], 0);
    EXPECT_EQ(got.value[1] == 0, reference == MultiboxReference::Torchvision);
    expect_equals_reference<Device, double>(c);
    c.capacity = 0;
    c.boxes = {};
    c.object_classes = {};
    c.counts = {};
    EXPECT_EQ((loss_on<Device, double>(c).value), got.value);
  }
}

inline bool all_nan(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
}

template <class Device>
void check_degenerate_object() {
  for (const MultiboxReference reference : kReferences) {
    MultiboxCase c = random_case(3, 5, 40, 5, reference);
    const size_t bad = 5 + 1;  // image 1's second
    c.boxes[4 * bad + 2] = c.boxes[4 * bad];
    const Matched matched = match_on<Device, double>(c);
    const LossStatus want = loss_status(LossFault::Box, LossInput::Boxes, static_cast<int64_t>(bad));
    EXPECT_EQ(matched.status, want);
    const MultiboxResult got = loss_on<Device, double>(c);
    EXPECT_EQ(got.status, want);
    EXPECT_TRUE(std::isfinite(got.value[1]));
    for (const double g : got.locations) EXPECT_LE(std::abs(g), 1);
    if (reference == MultiboxReference::Bubbliiiing) {
      EXPECT_EQ(std::count(matched.objects.begin() + 40, matched.objects.begin() + 80, 1), 0);
      EXPECT_TRUE(std::isfinite(got.value[0]));
    } else {
      EXPECT_EQ(matched.objects[40], 1);
      EXPECT_EQ(matched.targets[4 * 40 + 2], -kInfinity);
      EXPECT_EQ(got.value[0], kInfinity);
    }
  }
}

// The whole result is NaN, and the status says why.
template <class Device, class T>
void expect_nothing(const MultiboxCase& c, LossStatus status) {
  const MultiboxResult got = loss_on<Device, T>(c);
  EXPECT_EQ(got.status, status);
  EXPECT_TRUE(all_nan(got.value) && all_nan(got.locations) && all_nan(got.logits));
}

template <class Device>
void check_faults() {
  const MultiboxCase good = random_case(3, 5, 40, 5, MultiboxReference::Fork);
  for (const double v : {kNaN, kInfinity, -kInfinity})
    for (const size_t row : {3, 117}) {
      MultiboxCase c = good;
      c.logits[row * 5 + 2] = v;
      const LossStatus want = loss_status(LossFault::NotFinite, LossInput::Logits, static_cast<int64_t>(row));
      EXPECT_EQ((mine_on<Device, float>(c, match_reference(c).labels).status), want);
      expect_nothing<Device, float>(c, want);
      expect_nothing<Device, Half>(c, want);
    }
  for (const int32_t label : {-1, 4}) {
    MultiboxCase c = good;
    c.object_classes[11] = label;
    const Matched matched = match_on<Device, float>(c);
    EXPECT_EQ(matched.status, loss_status(LossFault::Label, LossInput::Labels, 11));
    EXPECT_GT(std::count(matched.labels.begin(), matched.labels.end(), -1), 0);
    expect_nothing<Device, float>(c, loss_status(LossFault::Label, LossInput::Labels, 11));
    c = good;
    std::vector<int32_t> labels(c.rows(), 0);
    labels[50] = label == 4 ? 5 : label;
    EXPECT_EQ((mine_on<Device, float>(c, labels).status),
              loss_status(LossFault::Label, LossInput::Labels, 50));
  }
  MultiboxCase c = good;
  c.boxes[4 * 10 + 1] = kNaN;
  expect_nothing<Device, float>(c, loss_status(LossFault::NotFinite, LossInput::Boxes, 10));
  for (const int32_t count : {-1, 6}) {
    c = good;
    c.counts[1] = count;
    expect_nothing<Device, float>(c, loss_status(LossFault::Label, LossInput::Boxes, 5));
  }
}

// A location counts where its prior is a positive.
template <class Device>
void check_locations() {
  const MultiboxCase good = random_case(3, 5, 40, 5, MultiboxReference::Fork);
  const std::vector<int32_t> labels = match_reference(good).labels;
  const auto positive = static_cast<size_t>(
      std::find_if(labels.begin(), labels.end(), [](int32_t l) { return l > 0; }) - labels.begin());
  const MultiboxResult want = loss_on<Device, double>(good);
  for (const double v : {kNaN, kInfinity}) {
    MultiboxCase c = good;
    c.locations[0] = v;  // image 0 has no objects
    EXPECT_EQ((loss_on<Device, double>(c).value), want.value);
    c.locations[4 * positive + 1] = v;
    const MultiboxResult got = loss_on<Device, double>(c);
    EXPECT_EQ(got.status,
              loss_status(LossFault::NotFinite, LossInput::Locations, static_cast<int64_t>(positive)));
    EXPECT_TRUE(all_nan(got.value));
    EXPECT_EQ(got.logits, want.logits);
    for (size_t i = 0; i < got.locations.size(); ++i)
      if (i / 4 == positive)
        EXPECT_TRUE(std::isnan(got.locations[i]));
      else
        EXPECT_EQ(got.locations[i], want.locations[i]);
  }
}

// Values without gradients, labels without objects and targets, a loss scale.
template <class Device>
void check_what_is_wanted() {
  MultiboxCase c = random_case(2, 5, 40, 5, MultiboxReference::Fork);
  const MultiboxResult all = loss_on<Device, double>(c), value = loss_on<Device, double>(c, true);
  EXPECT_EQ(value.value, all.value);
  EXPECT_EQ(value.logits, (std::vector<double>(c.logits.size(), 77)));
  EXPECT_EQ((match_on<Device, double>(c, true).labels), match_reference(c).labels);
  c.scale = 1024;
  const MultiboxResult scaled = loss_on<Device, double>(c);
  EXPECT_EQ(scaled.value, all.value);
  for (size_t i = 0; i < all.logits.size(); ++i) EXPECT_EQ(scaled.logits[i], 1024 * all.logits[i]);
  for (size_t i = 0; i < all.locations.size(); ++i) EXPECT_EQ(scaled.locations[i], 1024 * all.locations[i]);
}

}  // namespace tyto::kernels
