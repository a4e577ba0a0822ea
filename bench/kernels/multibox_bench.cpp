// SSD300's losses at a training batch: matching, mining, value and gradients in one call.
#include <cmath>

#include "bench/kernels/kernel_case.h"
#include "kernels/losses/multibox_distillation.h"
#include "kernels/losses/multibox_loss.h"

namespace tyto::bench {
namespace {

constexpr double kFloat = sizeof(float);
constexpr int64_t kBatch = 32, kPriors = 8732, kCapacity = 16;

// SSD300's on VOC: centre, width, height.
std::vector<float> ssd300_priors() {
  struct Level {
    int cells, step;
    double least, most;
    std::vector<double> ratios;
  };
  const std::vector<Level> levels = {{38, 8, 30, 60, {2}},       {19, 16, 60, 111, {2, 3}},
                                     {10, 32, 111, 162, {2, 3}}, {5, 64, 162, 213, {2, 3}},
                                     {3, 100, 213, 264, {2}},    {1, 300, 264, 315, {2}}};
  std::vector<float> priors;
  for (const Level& level : levels)
    for (int y = 0; y < level.cells; ++y)
      for (int x = 0; x < level.cells; ++x) {
        const auto add = [&](double width, double height) {
          for (const double v : {(x + 0.5) * level.step, (y + 0.5) * level.step, width, height})
            priors.push_back(static_cast<float>(std::min(v / 300, 1.0)));
        };
        add(level.least, level.least);
        add(std::sqrt(level.least * level.most), std::sqrt(level.least * level.most));
        for (const double ratio : level.ratios) {
          add(level.least * std::sqrt(ratio), level.least / std::sqrt(ratio));
          add(level.least / std::sqrt(ratio), level.least * std::sqrt(ratio));
        }
      }
  return priors;
}

struct Training {
  kernels::MultiboxInput<float> in;
  float *value, *locations_gradient, *logits_gradient;
};

std::vector<float> spread(int64_t count, float by) {
  std::vector<float> values = numbers(count);
  for (float& v : values) v = by * (v - 0.5f);
  return values;
}

// One to ten objects an image.
Training training(Arrays& a, int64_t classes, int64_t terms) {
  std::vector<float> boxes(kBatch * kCapacity * 4);
  std::vector<int32_t> labels, counts;
  const std::vector<float> at = numbers(kBatch * kCapacity * 4);
  for (size_t i = 0; i < boxes.size(); i += 4)
    for (size_t k = 0; k < 2; ++k) {
      boxes[i + k] = 0.8f * at[i + k];
      boxes[i + k + 2] = boxes[i + k] + 0.05f + (0.95f - boxes[i + k]) * at[i + k + 2];
    }
  for (int64_t i = 0; i < kBatch * kCapacity; ++i)
    labels.push_back(static_cast<int32_t>(i * 7 % (classes - 1)));
  for (int64_t i = 0; i < kBatch; ++i) counts.push_back(static_cast<int32_t>(1 + i % 10));

  Training t;
  t.in.locations = a.input("locations", {kBatch, kPriors, 4}, spread(kBatch * kPriors * 4, 4));
  t.in.logits = a.input("logits", {kBatch, kPriors, classes}, spread(kBatch * kPriors * classes, 8));
  t.in.classes = classes;
  t.in.objects = {.boxes = a.input("boxes", {kBatch, kCapacity, 4}, boxes),
                  .classes = a.input("classes", {kBatch, kCapacity}, labels),
                  .counts = a.input("counts", {kBatch}, counts),
                  .batch = kBatch,
                  .capacity = kCapacity};
  t.in.priors = {.boxes = a.input("priors", {kPriors, 4}, ssd300_priors()), .count = kPriors};
  t.value = a.output<float>("value", {terms});
  t.locations_gradient = a.output<float>("locations_gradient", {kBatch, kPriors, 4});
  t.logits_gradient = a.output<float>("logits_gradient", {kBatch, kPriors, classes});
  return t;
}

// Every row of logits is read once, for its place in the mining, and both gradients are written whole. A
// row takes an exponential and a sum a class, an overlap some twelve operations an object and prior.
Work of_rows(int64_t classes) {
  const double rows = kBatch * kPriors;
  Work work;
  work.bytes = kFloat * rows * (2.0 * static_cast<double>(classes) + 4);
  work.operations = rows * (2.0 * static_cast<double>(classes) + 12 * 5.5);
  return work;
}

Work multibox(Arrays& a, int64_t classes) {
  const Training t = training(a, classes, 3);
  const kernels::MultiboxLoss loss = kernels::multibox_as(kernels::MultiboxReference::SsdPytorch);
  const kernels::MultiboxOutput<float> out{
      .value = t.value, .locations_gradient = t.locations_gradient, .logits_gradient = t.logits_gradient};
  Work work = of_rows(classes);
  void* lent = a.scratch(kernels::multibox_loss_cpu_workspace<float>(kBatch, kCapacity, kPriors));
  work.cpu = [=] { kernels::multibox_loss_cpu(t.in, loss, out, lent); };
  if constexpr (kHasCuda) {
    void* device = a.scratch(kernels::multibox_loss_workspace<float>(kBatch, kCapacity, kPriors));
    work.cuda = [=](kernels::Stream s) { kernels::multibox_loss(t.in, loss, out, device, s); };
  }
  return work;
}

Work distillation(Arrays& a, int64_t classes) {
  const Training t = training(a, classes, kernels::kDistillationTerms);
  const kernels::MultiboxPredictions<float> teacher{
      .locations = a.input("teacher_locations", {kBatch, kPriors, 4}, spread(kBatch * kPriors * 4, 2)),
      .logits = a.input("teacher_logits", {kBatch, kPriors, classes}, spread(kBatch * kPriors * classes, 6))};
  const kernels::MultiboxDistillationLoss loss;
  const kernels::MultiboxDistillationOutput<float> out{
      .value = t.value, .locations_gradient = t.locations_gradient, .logits_gradient = t.logits_gradient};
  Work work = of_rows(classes);
  void* lent =
      a.scratch(kernels::multibox_distillation_loss_cpu_workspace<float>(kBatch, kCapacity, kPriors));
  work.cpu = [=] { kernels::multibox_distillation_loss_cpu(t.in, teacher, loss, out, lent); };
  if constexpr (kHasCuda) {
    void* device =
        a.scratch(kernels::multibox_distillation_loss_workspace<float>(kBatch, kCapacity, kPriors));
    work.cuda = [=](kernels::Stream s) {
      kernels::multibox_distillation_loss(t.in, teacher, loss, out, device, s);
    };
  }
  return work;
}

}  // namespace

void add_multibox_cases(Cases& cases) {
  for (const int64_t classes : {21, 81}) {
    const std::string size = "32x8732x" + std::to_string(classes);
    cases.push_back({"multibox_" + size, [=](Arrays& a) { return multibox(a, classes); }});
    cases.push_back({"multibox_distillation_" + size, [=](Arrays& a) { return distillation(a, classes); }});
  }
}

}  // namespace tyto::bench
