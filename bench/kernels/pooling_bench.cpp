// Pooling of maps, and reductions of rows.
#include "bench/kernels/kernel_case.h"
#include "bench/kernels/one_dnn.h"
#include "kernels/pooling/adaptive_average_pool.h"
#include "kernels/pooling/average_pool.h"
#include "kernels/pooling/gem_pool.h"
#include "kernels/pooling/max_pool.h"
#include "kernels/pooling/reduce.h"

namespace tyto::bench {
namespace {

using namespace kernels;

constexpr double kFloat = sizeof(float);

double bytes_of(const Map<const float>& x, const Map<float>& y) {
  return kFloat * static_cast<double>(x.elements() + y.elements());
}

// VGG16's first.
Work max_pooled(Arrays& a) {
  const auto x = a.input_map("x", {1, 64, 300, 300}, numbers(64 * 300 * 300));
  const auto y = a.output_map("y", {1, 64, 150, 150});
  Work work;
  work.bytes = bytes_of(x, y);
  work.operations = 3 * static_cast<double>(y.elements());
  work.cpu = one_dnn(a, {"x"}, "y", [](Graph& g, const std::vector<Value>& v) {
    return g.max_pool(v[0], {.kernel = 2, .stride = 2});
  });
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { max_pool(x.nhwc, {}, y.nhwc, s); };
  return work;
}

// A transition of DenseNet's.
Work average_pooled(Arrays& a) {
  const auto x = a.input_map("x", {1, 128, 56, 56}, numbers(128 * 56 * 56));
  const auto y = a.output_map("y", {1, 128, 28, 28});
  Work work;
  work.bytes = bytes_of(x, y);
  work.operations = 4 * static_cast<double>(y.elements());
  work.cpu = [=] { average_pool_cpu(x.blocks, {}, y.blocks); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { average_pool(x.nhwc, {}, y.nhwc, s); };
  return work;
}

// The last map of re-identification's ResNet-50: to 6 stripes, or to one value a channel.
constexpr int64_t kFeatures = 2048, kHeight = 16, kWidth = 8;

Work adaptive(Arrays& a, int64_t stripes) {
  const auto x = a.input_map("x", {1, kFeatures, kHeight, kWidth}, numbers(kFeatures * kHeight * kWidth));
  const auto y = a.output_map("y", {1, kFeatures, stripes, 1});
  Work work;
  work.bytes = bytes_of(x, y);
  work.operations = static_cast<double>(x.elements() + y.elements());
  work.cpu = [=] { adaptive_average_pool_cpu(x.blocks, y.blocks); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { adaptive_average_pool(x.nhwc, y.nhwc, s); };
  return work;
}

Work generalised_mean(Arrays& a) {
  const auto x = a.input_map("x", {1, kFeatures, kHeight, kWidth}, numbers(kFeatures * kHeight * kWidth));
  const auto y = a.output_map("y", {1, kFeatures, 1, 1});
  Work work;
  work.bytes = bytes_of(x, y);
  work.operations = 4 * static_cast<double>(x.elements());  // at least epsilon, cubed, summed
  work.cpu = [=] { gem_pool_cpu(x.blocks, 3, {}, y.blocks); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { gem_pool(x.nhwc, 3, {}, y.nhwc.data, s); };
  return work;
}

Work mean_of_tokens(Arrays& a) {
  constexpr int64_t kImages = 8, kTokens = 196, kValues = 768;
  const float* x = a.input("x", {kImages, kTokens, kValues}, numbers(kImages * kTokens * kValues));
  float* y = a.output<float>("y", {kImages, kValues});
  Work work;
  work.bytes = kFloat * kImages * (kTokens + 1) * kValues;
  work.operations = 1.0 * kImages * kTokens * kValues;
  work.cpu = one_dnn(a, {"x"}, "y", [](Graph& g, const std::vector<Value>& v) {
    return g.reduce(v[0], {Reduction::Mean, 1});
  });
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) { reduce(x, {kImages, kTokens, kValues}, Reduction::Mean, y, s); };
  return work;
}

}  // namespace

void add_pooling_cases(Cases& cases) {
  cases.push_back({"max_pool/64x300x300", max_pooled});
  cases.push_back({"average_pool/128x56x56", average_pooled});
  cases.push_back({"adaptive_average_pool/2048x16x8_to_6", [](Arrays& a) { return adaptive(a, 6); }});
  cases.push_back({"adaptive_average_pool/2048x16x8_to_1", [](Arrays& a) { return adaptive(a, 1); }});
  cases.push_back({"gem_pool/2048x16x8", generalised_mean});
  cases.push_back({"reduce/8x196x768", mean_of_tokens});
}

}  // namespace tyto::bench
