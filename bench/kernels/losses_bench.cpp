// Losses at the sizes that trainers meet: value and gradient.
#include "bench/kernels/kernel_case.h"
#include "kernels/losses/batch_hard_triplet.h"
#include "kernels/losses/circle.h"
#include "kernels/losses/cmdc.h"
#include "kernels/losses/contrastive.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/lifted.h"
#include "kernels/losses/margin_softmax.h"
#include "kernels/losses/triplet.h"
#include "kernels/losses/weighted_regularized_triplet.h"

namespace tyto::bench {
namespace {

constexpr double kFloat = sizeof(float);
constexpr int kRowsOfAnIdentity = 4;

std::vector<float> centred(int64_t count) {
  std::vector<float> values = numbers(count);
  for (float& v : values) v -= 0.5f;
  return values;
}

std::vector<int32_t> identities(int64_t rows) {
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < rows; ++i) labels.push_back(static_cast<int32_t>(i / kRowsOfAnIdentity));
  return labels;
}

struct Rows {
  kernels::LabelledRows<float> in;
  kernels::LossOutput<float> out;
};

Rows labelled(Arrays& a, int64_t rows, int64_t width, const std::vector<int32_t>& labels) {
  Rows all;
  all.in = {.values = a.input("features", {rows, width}, centred(rows * width)),
            .labels = a.input("labels", {rows}, labels),
            .rows = rows,
            .width = width};
  all.out.value = a.output<float>("value", {1});
  all.out.gradient = a.output<float>("gradient", {rows, width});
  return all;
}

// A loss over all pairs of rows: features in, gradients out; each pair's
// product once, and the gradient's sums.
Work of_pairs(int64_t rows, int64_t width) {
  const auto n = static_cast<double>(rows), d = static_cast<double>(width);
  Work work;
  work.bytes = 2 * kFloat * n * d;
  work.operations = 3 * n * n * d;
  return work;
}

// Half of the rows visible, half thermal, four of each identity in either.
Work cmdc(Arrays& a, int64_t rows, int64_t width) {
  std::vector<int32_t> labels, modalities;
  for (int64_t i = 0; i < rows; ++i) {
    labels.push_back(static_cast<int32_t>(i % (rows / 2) / kRowsOfAnIdentity));
    modalities.push_back(i >= rows / 2);
  }
  const Rows r = labelled(a, rows, width, labels);
  const int32_t* of = a.input("modalities", {rows}, modalities);
  const auto n = static_cast<double>(rows), d = static_cast<double>(width), centers = n / kRowsOfAnIdentity;
  Work work;
  work.bytes = 2 * kFloat * n * d;
  work.operations = 6 * centers * n * d;  // the distances of each pair, and its part of either's gradient
  void* lent = a.scratch(kernels::cmdc_loss_cpu_workspace<float>(rows, width));
  work.cpu = [=] { kernels::cmdc_loss_cpu<float>(r.in, of, {}, {}, r.out, lent); };
  if constexpr (kHasCuda) {
    void* device = a.scratch(kernels::cmdc_loss_workspace<float>(rows, width));
    work.cuda = [=](kernels::Stream s) { kernels::cmdc_loss<float>(r.in, of, {}, {}, r.out, device, s); };
  }
  return work;
}

// Of the losses over pairs that take features, options and nothing else.
template <auto Cpu, auto CpuBytes, auto Cuda, auto CudaBytes, class Options>
Work over_pairs(Arrays& a, int64_t rows, int64_t width, const Options& options) {
  const Rows r = labelled(a, rows, width, identities(rows));
  Work work = of_pairs(rows, width);
  void* lent = a.scratch(CpuBytes(rows, width));
  work.cpu = [=] { Cpu(r.in, options, r.out, lent); };
  if constexpr (kHasCuda) {
    void* device = a.scratch(CudaBytes(rows, width));
    work.cuda = [=](kernels::Stream s) { Cuda(r.in, options, r.out, device, s); };
  }
  return work;
}

// Of a classifier's 751 identities, Market-1501's, with smoothed labels.
Work cross_entropy(Arrays& a, int64_t rows, int64_t classes) {
  const Rows r = labelled(a, rows, classes, identities(rows));
  const kernels::CrossEntropy options{.smoothing = 0.1};
  const auto elements = static_cast<double>(rows * classes);
  Work work;
  work.bytes = 2 * kFloat * elements;
  work.operations = 8 * elements;  // largest, difference, e^x, two sums,
                                   // quotient, difference, factor
  void* lent = a.scratch(kernels::cross_entropy_cpu_workspace<float>(rows, 1));
  work.cpu = [=] { kernels::cross_entropy_cpu<float>(r.in, options, r.out, lent); };
  if constexpr (kHasCuda) {
    void* device = a.scratch(kernels::cross_entropy_workspace<float>(rows, 1));
    work.cuda = [=](kernels::Stream s) { kernels::cross_entropy<float>(r.in, options, r.out, device, s); };
  }
  return work;
}

// Gradients of features and of weights.
Work arcface(Arrays& a, int64_t rows, int64_t width, int64_t classes) {
  const Rows r = labelled(a, rows, width, identities(rows));
  const kernels::ClassWeights<float> weights{
      .values = a.input("weights", {width, classes}, centred(width * classes)),
      .classes = classes,
      .gradient = a.output<float>("weights_gradient", {width, classes})};
  const auto n = static_cast<double>(rows), d = static_cast<double>(width), k = static_cast<double>(classes);
  Work work;
  work.bytes = 2 * kFloat * (n * d + k * d);
  work.operations = 6 * n * k * d;
  void* lent = a.scratch(kernels::margin_softmax_cpu_workspace<float>(rows, width, classes));
  work.cpu = [=] { kernels::margin_softmax_cpu<float>(r.in, weights, kernels::kArcFace, r.out, lent); };
  if constexpr (kHasCuda) {
    void* device = a.scratch(kernels::margin_softmax_workspace<float>(rows, width, classes));
    work.cuda = [=](kernels::Stream s) {
      kernels::margin_softmax<float>(r.in, weights, kernels::kArcFace, r.out, device, s);
    };
  }
  return work;
}

}  // namespace

void add_losses_cases(Cases& cases) {
#define TYTO_OVER_PAIRS(name, options, rows)                                                           \
  cases.push_back(                                                                                     \
      {#name "_" + std::to_string(rows) + "x2048", [=](Arrays& a) {                                    \
         return over_pairs<kernels::name##_loss_cpu<float>, kernels::name##_loss_cpu_workspace<float>, \
                           kernels::name##_loss<float>, kernels::name##_loss_workspace<float>>(        \
             a, rows, 2048, kernels::options{});                                                       \
       }})
  for (const int64_t rows : {64, 256, 1024}) {
    const std::string size = std::to_string(rows) + "x2048";
    TYTO_OVER_PAIRS(circle, CircleLoss, rows);
    cases.push_back({"cmdc_" + size, [=](Arrays& a) { return cmdc(a, rows, 2048); }});
  }
  cases.push_back({"cross_entropy_64x751", [](Arrays& a) { return cross_entropy(a, 64, 751); }});
  cases.push_back({"arcface_256x2048x751", [](Arrays& a) { return arcface(a, 256, 2048, 751); }});
  TYTO_OVER_PAIRS(triplet, TripletLoss, 256);
  TYTO_OVER_PAIRS(contrastive, ContrastiveLoss, 256);
  TYTO_OVER_PAIRS(lifted, LiftedLoss, 256);
  TYTO_OVER_PAIRS(batch_hard_triplet, BatchHardTripletLoss, 256);
  TYTO_OVER_PAIRS(weighted_regularized_triplet, WeightedRegularizedTripletLoss, 256);
#undef TYTO_OVER_PAIRS
}

}  // namespace tyto::bench
