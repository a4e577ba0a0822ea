// What the instrument counts of losses: the bytes that their launches move, each launch's once, beside those
// that their contracts name.
#include <gtest/gtest.h>

#include "emulation/instrument/instrument.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/random_values.h"
#include "kernels/losses/circle.h"
#include "kernels/losses/cmdc.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/multibox_distillation.h"

namespace tyto::kernels {
namespace {

constexpr double kFloat = sizeof(float), kAllowed = 1.5;

double bytes_since_last_call() {
  cudaDeviceSynchronize();
  double bytes = 0;
  for (const auto& kernel : emulation::instrument::take_profile())
    for (const auto& launch : kernel.launches)
      bytes += static_cast<double>(launch.distinct_bytes_read + launch.distinct_bytes_written);
  return bytes;
}

// Halves of the rows are of either modality, four of each identity in a half.
struct Batch {
  static constexpr int64_t kRows = 64, kWidth = 512;
  DeviceArray<float> features{random_floats(kRows * kWidth, 1)}, gradient{kRows * kWidth}, value{1};
  DeviceArray<int32_t> labels{of([](int64_t i) { return i % (kRows / 2) / 4; })};
  DeviceArray<int32_t> modalities{of([](int64_t i) { return i / (kRows / 2); })};

  template <class Of>
  static std::vector<int32_t> of(const Of& number) {
    std::vector<int32_t> all;
    for (int64_t i = 0; i < kRows; ++i) all.push_back(static_cast<int32_t>(number(i)));
    return all;
  }
  LabelledRows<float> in() const { return {features.data(), labels.data(), kRows, kWidth}; }
  LossOutput<float> out() { return {.value = value.data(), .gradient = gradient.data()}; }
};

// pairwise_loss.h: rows move eight times, and pairs six.
TEST(LossCounts, OfACircle) {
  Batch b;
  DeviceArray<char> lent(circle_loss_workspace<float>(b.kRows, b.kWidth));
  bytes_since_last_call();
  circle_loss<float>(b.in(), {}, b.out(), lent.data(), nullptr);
  const double named = kFloat * static_cast<double>(8 * b.kRows * b.kWidth + 6 * b.kRows * b.kRows);
  const double moved = bytes_since_last_call();
  EXPECT_LE(moved, kAllowed * named) << moved / named;
}

// cmdc.cu: rows move thirteen times, centres five.
TEST(LossCounts, OfCmdc) {
  Batch b;
  DeviceArray<char> lent(cmdc_loss_workspace<float>(b.kRows, b.kWidth));
  bytes_since_last_call();
  cmdc_loss<float>(b.in(), b.modalities.data(), {}, {}, b.out(), lent.data(), nullptr);
  const double named = kFloat * (13 + 5 / 4.0) * b.kRows * b.kWidth;  // four rows a centre
  const double moved = bytes_since_last_call();
  EXPECT_LE(moved, kAllowed * named) << moved / named;
}

TEST(LossCounts, OfCrossEntropy) {
  constexpr int64_t kRows = 64, kClasses = 751;
  const DeviceArray<float> logits(random_floats(kRows * kClasses, 1));
  const DeviceArray<int32_t> labels(std::vector<int32_t>(kRows, 5));
  DeviceArray<float> gradient(kRows * kClasses), value(1);
  DeviceArray<char> lent(cross_entropy_workspace<float>(kRows, 1));
  bytes_since_last_call();
  cross_entropy<float>({logits.data(), labels.data(), kRows, kClasses}, {.smoothing = 0.1},
                       {.value = value.data(), .gradient = gradient.data()}, lent.data(), nullptr);
  const double named = 2 * kFloat * kRows * kClasses, moved = bytes_since_last_call();
  EXPECT_LE(moved, kAllowed * named) << moved / named;
}

// An image with three objects of a network with 1200 priors: logits are read once and both gradients written.
struct Detector {
  static constexpr int64_t kPriors = 1200;
  int64_t classes;
  DeviceArray<float> locations{random_floats(4 * kPriors, 1)}, logits, priors{grid()};
  DeviceArray<float> boxes{
      std::vector<float>{0.1f, 0.1f, 0.4f, 0.5f, 0.5f, 0.2f, 0.9f, 0.6f, 0.3f, 0.6f, 0.5f, 0.9f}};
  DeviceArray<int32_t> objects{std::vector<int32_t>{0, 1, 1}};
  DeviceArray<float> locations_gradient{4 * kPriors}, logits_gradient, value{kDistillationTerms};

  explicit Detector(int64_t count)
      : classes(count), logits(random_floats(kPriors * count, 2)), logits_gradient(kPriors * count) {}

  static std::vector<float> grid() {
    std::vector<float> all;
    for (int64_t i = 0; i < kPriors; ++i)
      for (const double v :
           {(static_cast<double>(i % 30) + 0.5) / 30, (static_cast<double>(i / 30) + 0.5) / 40, 0.2, 0.2})
        all.push_back(static_cast<float>(v));
    return all;
  }
  MultiboxInput<float> in() const {
    return {.locations = locations.data(),
            .logits = logits.data(),
            .classes = classes,
            .objects = {.boxes = boxes.data(), .classes = objects.data(), .batch = 1, .capacity = 3},
            .priors = {.boxes = priors.data(), .count = kPriors}};
  }
  double named() const { return kFloat * static_cast<double>(kPriors * (2 * classes + 4)); }
};

TEST(LossCounts, OfMultibox) {
  for (const int64_t classes : {21, 81}) {
    Detector d(classes);
    DeviceArray<char> lent(multibox_loss_workspace<float>(1, 3, d.kPriors));
    bytes_since_last_call();
    multibox_loss<float>(d.in(), multibox_as(MultiboxReference::SsdPytorch),
                         {.value = d.value.data(),
                          .locations_gradient = d.locations_gradient.data(),
                          .logits_gradient = d.logits_gradient.data()},
                         lent.data(), nullptr);
    const double moved = bytes_since_last_call();
    EXPECT_LE(moved, kAllowed * d.named()) << classes << ": " << moved / d.named();
  }
}

TEST(LossCounts, OfMultiboxDistillation) {
  for (const int64_t classes : {21, 81}) {
    Detector d(classes);
    const DeviceArray<float> logits(random_floats(d.kPriors * classes, 3));
    DeviceArray<char> lent(multibox_distillation_loss_workspace<float>(1, 3, d.kPriors));
    bytes_since_last_call();
    multibox_distillation_loss<float>(d.in(), {.locations = d.locations.data(), .logits = logits.data()}, {},
                                      {.value = d.value.data(),
                                       .locations_gradient = d.locations_gradient.data(),
                                       .logits_gradient = d.logits_gradient.data()},
                                      lent.data(), nullptr);
    const double moved = bytes_since_last_call();
    EXPECT_LE(moved, kAllowed * d.named()) << classes << ": " << moved / d.named();
  }
}

}  // namespace
}  // namespace tyto::kernels
