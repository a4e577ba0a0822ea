// Normalisation and softmax.
#include "bench/kernels/kernel_case.h"
#include "bench/kernels/one_dnn.h"
#include "kernels/norm/l2_normalize.h"
#include "kernels/norm/layer_norm.h"
#include "kernels/norm/norm.h"
#include "kernels/norm/softmax.h"

namespace tyto::bench {
namespace {

using namespace kernels;

constexpr double kFloat = sizeof(float);
// Sum, deviation, its square and their sum, quotient, scale and shift.
constexpr double kNormOperations = 7;

Work softmax_of_rows(Arrays& a, int64_t rows, int64_t width) {
  const float* x = a.input("x", {rows, width}, numbers(rows * width));
  float* y = a.output<float>("y", {rows, width});
  const auto elements = static_cast<double>(rows * width);
  Work work;
  work.bytes = 2 * kFloat * elements;
  work.operations = 5 * elements;  // largest, difference, e^x, sum, quotient
  work.cpu = one_dnn(a, {"x"}, "y", [](Graph& g, const std::vector<Value>& v) { return g.softmax(v[0]); });
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { softmax(x, {rows, width, 1}, y, s); };
  return work;
}

Work layer_norm_of_rows(Arrays& a, int64_t rows, int64_t width) {
  const float* x = a.input("x", {rows, width}, numbers(rows * width));
  const std::vector<float> values = numbers(2 * width);
  const std::vector<float> scales(values.begin(), values.begin() + width);
  const std::vector<float> shifts(values.begin() + width, values.end());
  const float *scale = a.input("scale", {width}, scales), *shift = a.input("shift", {width}, shifts);
  float* y = a.output<float>("y", {rows, width});
  const auto elements = static_cast<double>(rows * width);
  Work work;
  work.bytes = kFloat * (2 * elements + 2.0 * static_cast<double>(width));
  work.operations = kNormOperations * elements;
  const Tensor weight = a.plain("scale"), bias = a.plain("shift");
  work.cpu = one_dnn(a, {"x"}, "y", [&](Graph& g, const std::vector<Value>& v) {
    return g.apply(LayerNorm{}, {v[0]}, {constant("scale", weight), constant("shift", bias)});
  });
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) { layer_norm(x, rows, width, scale, shift, 1e-5f, y, s); };
  return work;
}

Work group_norm_of_a_map(Arrays& a, int64_t channels, int64_t groups, int64_t height, int64_t width) {
  const auto x = a.input_map("x", {1, channels, height, width}, numbers(channels * height * width));
  const float* scale = a.input("scale", {channels}, numbers(channels));
  const float* shift = a.input("shift", {channels}, numbers(channels));
  const auto y = a.output_map("y", {1, channels, height, width});
  const kernels::GroupNorm p = {.channels = channels, .groups = groups};
  auto* moments = static_cast<double*>(a.scratch(channels * 2 * static_cast<int64_t>(sizeof(double))));
  const auto elements = static_cast<double>(x.elements());
  Work work;
  work.bytes = kFloat * (2 * elements + 2.0 * static_cast<double>(channels));
  work.operations = kNormOperations * elements;
  work.cpu = [=] { group_norm_cpu(x.blocks, scale, shift, p, y.blocks, moments); };
  if constexpr (kHasCuda) {
    void* workspace = a.scratch(group_norm_workspace_bytes(1, height, width, channels));
    work.cuda = [=](Stream s) { group_norm(x.nhwc, scale, shift, p, y.nhwc.data, workspace, s); };
  }
  return work;
}

Work affine(Arrays& a) {
  constexpr int64_t kChannels = 256;
  const auto x = a.input_map("x", {1, kChannels, 56, 56}, numbers(kChannels * 56 * 56));
  const float* scale = a.input("scale", {kChannels}, numbers(kChannels));
  const float* shift = a.input("shift", {kChannels}, numbers(kChannels));
  const auto y = a.output_map("y", {1, kChannels, 56, 56});
  Work work;
  work.bytes = kFloat * static_cast<double>(2 * x.elements() + 2 * kChannels);
  work.operations = 2 * static_cast<double>(x.elements());
  work.cpu = [=] { channel_affine_cpu(x.blocks, scale, shift, Activation::None, y.blocks); };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) { channel_affine(x.nhwc, scale, shift, Activation::None, y.nhwc.data, s); };
  return work;
}

// SSD300's conv4_3.
Work unit_pixels(Arrays& a) {
  constexpr int64_t kChannels = 512;
  const auto x = a.input_map("x", {1, kChannels, 38, 38}, numbers(kChannels * 38 * 38));
  const float* scale = a.input("scale", {kChannels}, numbers(kChannels));
  const auto y = a.output_map("y", {1, kChannels, 38, 38});
  Work work;
  work.bytes = kFloat * static_cast<double>(2 * x.elements() + kChannels);
  work.operations = 4 * static_cast<double>(x.elements());  // square, sum, quotient, scale
  work.cpu = [=] { l2_normalize_cpu(x.blocks, scale, {}, y.blocks); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { l2_normalize(x.nhwc, scale, {}, y.nhwc.data, s); };
  return work;
}

}  // namespace

void add_norm_cases(Cases& cases) {
  cases.push_back({"softmax/8732x21", [](Arrays& a) { return softmax_of_rows(a, 8732, 21); }});
  cases.push_back({"softmax/2364x197", [](Arrays& a) { return softmax_of_rows(a, 12 * 197, 197); }});
  cases.push_back({"layer_norm/1576x768", [](Arrays& a) { return layer_norm_of_rows(a, 8 * 197, 768); }});
  cases.push_back(
      {"group_norm/256x56x56", [](Arrays& a) { return group_norm_of_a_map(a, 256, 32, 56, 56); }});
  cases.push_back(
      {"instance_norm/64x64x32", [](Arrays& a) { return group_norm_of_a_map(a, 64, 64, 64, 32); }});
  cases.push_back({"channel_affine/256x56x56", affine});
  cases.push_back({"l2_normalize/512x38x38", unit_pixels});
}

}  // namespace tyto::bench
