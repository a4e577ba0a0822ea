// Attention of maps, of ViT's tokens and Swin's windows, its gradients, and the products that it is made of.
// Operations are those of the products alone, two each.
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "bench/kernels/kernel_case.h"
#include "bench/kernels/one_dnn.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/position_attention.h"
#include "kernels/common/blocked_product.h"

namespace tyto::bench {
namespace {

using namespace kernels;

constexpr double kFloat = sizeof(float);

// Around 0, at most `largest`.
std::vector<float> signed_numbers(int64_t count, float largest) {
  std::vector<float> values = numbers(count);
  for (float& v : values) v = largest * (2 * v - 1);
  return values;
}

float* floats(Arrays& a, int64_t count) {
  return static_cast<float*>(a.scratch(count * static_cast<int64_t>(sizeof(float))));
}

PositionAttentionOf<float> position_inputs(Arrays& a, int64_t batch, int64_t positions, int64_t depth,
                                           int64_t channels) {
  const auto map = [&](const char* name, int64_t values, float largest) {
    return a.input(name, {batch, positions, values}, signed_numbers(batch * positions * values, largest));
  };
  return {.batch = batch,
          .positions = positions,
          .depth = depth,
          .channels = channels,
          .q = map("q", depth, 2),  // scores of several units
          .k = map("k", depth, 1),
          .v = map("v", channels, 1),
          .x = map("x", channels, 1),
          .gamma = a.input<float>("gamma", {1}, {0.5f})};
}

double map_elements(const PositionAttentionOf<float>& of) {
  return static_cast<double>(of.batch * of.positions * of.positions);
}

Work position_forward(Arrays& a, int64_t batch, int64_t positions, int64_t depth, int64_t channels) {
  const PositionAttentionOf<float> of = position_inputs(a, batch, positions, depth, channels);
  float* y = a.output<float>("y", {batch, positions, channels});
  float* scratch = floats(a, position_attention_scratch_floats(of, omp_get_max_threads()));
  Work work;
  work.bytes = kFloat * static_cast<double>(batch * positions * (2 * depth + 3 * channels));
  work.operations = 2 * map_elements(of) * static_cast<double>(depth + channels);
  work.cpu = [=] { position_attention_cpu(of, y, {}, scratch); };
  return work;
}

Work position_backward(Arrays& a, int64_t batch, int64_t positions, int64_t depth, int64_t channels) {
  const PositionAttentionOf<float> of = position_inputs(a, batch, positions, depth, channels);
  const int64_t rows = batch * positions;
  const float* y_gradient =
      a.input("y_gradient", {batch, positions, channels}, signed_numbers(rows * channels, 1));
  const RowStatistics statistics = {floats(a, rows), floats(a, rows)};
  float* y = floats(a, rows * channels);
  float* forward = floats(a, position_attention_scratch_floats(of, omp_get_max_threads()));
  position_attention_cpu(of, y, statistics, forward);
  // That of x is the gradient of y, which a network does not copy.
  const PositionAttentionGradients<float> to = {
      .q = a.output<float>("q_gradient", {batch, positions, depth}),
      .k = a.output<float>("k_gradient", {batch, positions, depth}),
      .v = a.output<float>("v_gradient", {batch, positions, channels}),
      .gamma = a.output<float>("gamma_gradient", {1})};
  float* scratch = floats(a, position_attention_backward_scratch_floats(of, omp_get_max_threads()));
  Work work;
  work.bytes = kFloat * static_cast<double>(rows * (4 * depth + 3 * channels + 2));
  // The map again, dP, and the gradients of q, k and v.
  work.operations = 2 * map_elements(of) * static_cast<double>(3 * depth + 2 * channels);
  work.cpu = [=] { position_attention_backward_cpu(of, statistics, y_gradient, to, scratch); };
  return work;
}

// Rows of queries, keys and values side by side, as one layer makes them.
AttentionOf<float> token_inputs(Arrays& a, int64_t batch, int64_t heads, int64_t tokens, int64_t size,
                                bool bias) {
  const int64_t width = heads * size, stride = 3 * width;
  const float* rows = a.input("qkv", {batch, tokens, stride}, signed_numbers(batch * tokens * stride, 1.7f));
  AttentionOf<float> of = {.batch = batch,
                           .heads = heads,
                           .queries = tokens,
                           .depth = size,
                           .width = size,
                           .scale = 1 / std::sqrt(static_cast<float>(size)),
                           .q = {rows, stride}};
  of.sets[0] = {
      .k = {rows + width, stride}, .v = {rows + 2 * width, stride}, .keys = tokens, .bias = {}, .mask = {}};
  if (bias)
    of.sets[0].bias = {a.input("bias", {heads, tokens, tokens}, signed_numbers(heads * tokens * tokens, 1)),
                       1, heads};
  return of;
}

Work tokens_forward(Arrays& a, int64_t batch, int64_t heads, int64_t tokens, int64_t size, bool bias) {
  const AttentionOf<float> of = token_inputs(a, batch, heads, tokens, size, bias);
  const Tokens<float> y = {a.output<float>("y", {batch, tokens, heads * size}), heads * size};
  float* scratch = floats(a, attention_scratch_floats(of, omp_get_max_threads()));
  const auto rows = static_cast<double>(batch * tokens * heads * size);
  const auto map = static_cast<double>(heads * tokens * tokens);
  Work work;
  work.bytes = kFloat * (4 * rows + (bias ? map : 0));
  work.operations = 4 * static_cast<double>(batch * size) * map;
  work.cpu = [=] { attention_cpu(of, y, {}, scratch); };
  return work;
}

Work tokens_backward(Arrays& a, int64_t batch, int64_t heads, int64_t tokens, int64_t size, bool bias) {
  const AttentionOf<float> of = token_inputs(a, batch, heads, tokens, size, bias);
  const int64_t width = heads * size, rows = batch * tokens;
  const Tokens<const float> y_gradient = {
      a.input("y_gradient", {batch, tokens, width}, signed_numbers(rows * width, 1)), width};
  const RowStatistics statistics = {floats(a, rows * heads), floats(a, rows * heads)};
  attention_cpu(of, {floats(a, rows * width), width}, statistics,
                floats(a, attention_scratch_floats(of, omp_get_max_threads())));
  float* gradient = a.output<float>("qkv_gradient", {batch, tokens, 3 * width});
  AttentionGradients<float> to;
  to.q = {gradient, 3 * width};
  to.sets[0].k = {gradient + width, 3 * width};
  to.sets[0].v = {gradient + 2 * width, 3 * width};
  if (bias) to.sets[0].bias = a.output<float>("bias_gradient", {heads, tokens, tokens});
  float* scratch = floats(a, attention_backward_scratch_floats(of, omp_get_max_threads()));
  const auto map = static_cast<double>(heads * tokens * tokens);
  Work work;
  work.bytes = kFloat * (7 * static_cast<double>(rows * width) + (bias ? 2 * map : 0));
  work.operations = 10 * static_cast<double>(batch * size) * map;
  work.cpu = [=] { attention_backward_cpu(of, statistics, y_gradient, to, scratch); };
  return work;
}

// A product without what is fused with it, beside oneDNN's: 96 rows a thread, sums in tiles of 240.
Work product(Arrays& a, bool ours, int64_t rows, int64_t columns, int64_t depth) {
  const float* x = a.input("a", {rows, depth}, signed_numbers(rows * depth, 1));
  const float* w = a.input("b", {depth, columns}, signed_numbers(depth * columns, 1));
  float* y = a.output<float>("c", {rows, columns});
  Work work;
  work.bytes = kFloat * static_cast<double>(rows * depth + depth * columns + rows * columns);
  work.operations = 2 * static_cast<double>(rows * columns * depth);
  if (!ours) {
    work.cpu = one_dnn(a, {"a", "b"}, "c",
                       [](Graph& g, const std::vector<Value>& v) { return g.matmul(v[0], v[1]); });
    return work;
  }
  work.cpu = [=] {
    constexpr int64_t kRows = 96, kDepth = 240;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < rows; i += kRows)
      for (int64_t k = 0; k < depth; k += kDepth)
        blocked_product({.rows = std::min(kRows, rows - i),
                         .columns = columns,
                         .depth = std::min(kDepth, depth - k),
                         .a = x + i * depth + k,
                         .a_row = depth,
                         .b = w + k * columns,
                         .b_row = columns,
                         .b_panel = kProductPanel,
                         .c = y + i * columns,
                         .c_row = columns,
                         .accumulate = k > 0});
  };
  return work;
}

}  // namespace

void add_attention_cases(Cases& cases) {
  const auto add = [&](const std::string& name, auto prepare) {
    cases.push_back({name, std::move(prepare), RunsOn::CpuAlone});
  };
  add("position_attention/8x2592x32x256", [](Arrays& a) { return position_forward(a, 8, 2592, 32, 256); });
  add("position_attention/1x2048x32x256", [](Arrays& a) { return position_forward(a, 1, 2048, 32, 256); });
  add("position_attention_backward/8x2592x32x256",
      [](Arrays& a) { return position_backward(a, 8, 2592, 32, 256); });
  add("position_attention_backward/1x2048x32x256",
      [](Arrays& a) { return position_backward(a, 1, 2048, 32, 256); });
  add("attention/vit_8x12x197x64", [](Arrays& a) { return tokens_forward(a, 8, 12, 197, 64, false); });
  add("attention/swin_64x3x49x32", [](Arrays& a) { return tokens_forward(a, 64, 3, 49, 32, true); });
  add("attention_backward/vit_8x12x197x64",
      [](Arrays& a) { return tokens_backward(a, 8, 12, 197, 64, false); });
  add("attention_backward/swin_64x3x49x32",
      [](Arrays& a) { return tokens_backward(a, 64, 3, 49, 32, true); });
  for (const bool ours : {true, false}) {
    const std::string name = ours ? "blocked_product/" : "one_dnn_product/";
    add(name + "2592x2592x32", [ours](Arrays& a) { return product(a, ours, 2592, 2592, 32); });
    add(name + "2592x256x2592", [ours](Arrays& a) { return product(a, ours, 2592, 256, 2592); });
  }
}

}  // namespace tyto::bench
