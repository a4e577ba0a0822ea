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
constexpr float kQuery = 2;  // the largest, for scores of several units

// Around 0, at most `largest`.
std::vector<float> signed_numbers(int64_t count, float largest) {
  std::vector<float> values = numbers(count);
  for (float& v : values) v = largest * (2 * v - 1);
  return values;
}

float* floats(Arrays& a, int64_t count) {
  return static_cast<float*>(a.scratch(count * static_cast<int64_t>(sizeof(float))));
}

// What the forward pass leaves of these rows, queries and keys on the host.
RowStatistics statistics_input(Arrays& a, AttentionOf<float> of) {
  of.width = 0;
  of.sets[0].v = of.sets[0].k;
  const Shape shape = {of.batch, of.heads, of.queries};
  const auto rows = static_cast<size_t>(of.batch * of.heads * of.queries);
  std::vector<float> maximum(rows), sum(rows);
  std::vector<float> scratch(static_cast<size_t>(attention_scratch_floats(of, omp_get_max_threads())));
  attention_cpu(of, {}, {maximum.data(), sum.data()}, scratch.data());
  return {const_cast<float*>(a.input("maximum", shape, maximum)),
          const_cast<float*>(a.input("sum", shape, sum))};
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
          .q = map("q", depth, kQuery),
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
  if constexpr (kHasCuda) work.cuda = [=](Stream stream) { position_attention(of, y, {}, stream); };
  return work;
}

Work position_backward(Arrays& a, int64_t batch, int64_t positions, int64_t depth, int64_t channels) {
  const PositionAttentionOf<float> of = position_inputs(a, batch, positions, depth, channels);
  const int64_t rows = batch * positions;
  const float* y_gradient =
      a.input("y_gradient", {batch, positions, channels}, signed_numbers(rows * channels, 1));
  AttentionOf<float> on_host = attention_of(of);
  const std::vector<float> q = signed_numbers(rows * depth, kQuery), k = signed_numbers(rows * depth, 1);
  on_host.q.data = q.data();
  on_host.sets[0].k.data = k.data();
  const RowStatistics statistics = statistics_input(a, on_host);
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
  if constexpr (kHasCuda) {
    float* workspace = floats(a, position_attention_backward_floats(batch, positions));
    work.cuda = [=](Stream stream) {
      position_attention_backward(of, statistics, y_gradient, to, workspace, stream);
    };
  }
  return work;
}

// Of rows that have queries, keys and values side by side, as one layer makes them.
AttentionOf<float> attention_of_rows(const float* rows, const float* bias, int64_t batch, int64_t heads,
                                     int64_t tokens, int64_t size) {
  const int64_t width = heads * size, stride = 3 * width;
  AttentionOf<float> of = {.batch = batch,
                           .heads = heads,
                           .queries = tokens,
                           .depth = size,
                           .width = size,
                           .scale = 1 / std::sqrt(static_cast<float>(size)),
                           .q = {rows, stride}};
  of.sets[0] = {.k = {rows + width, stride},
                .v = {rows + 2 * width, stride},
                .keys = tokens,
                .bias = {bias, 1, heads},
                .mask = {}};
  return of;
}

std::vector<float> token_rows(int64_t batch, int64_t heads, int64_t tokens, int64_t size) {
  return signed_numbers(batch * tokens * 3 * heads * size, 1.7f);
}
std::vector<float> token_bias(int64_t heads, int64_t tokens) {
  return signed_numbers(heads * tokens * tokens, 1);
}

AttentionOf<float> token_inputs(Arrays& a, int64_t batch, int64_t heads, int64_t tokens, int64_t size,
                                bool bias) {
  const float* rows =
      a.input("qkv", {batch, tokens, 3 * heads * size}, token_rows(batch, heads, tokens, size));
  return attention_of_rows(
      rows, bias ? a.input("bias", {heads, tokens, tokens}, token_bias(heads, tokens)) : nullptr, batch,
      heads, tokens, size);
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
  if constexpr (kHasCuda) work.cuda = [=](Stream stream) { attention(of, y, {}, stream); };
  return work;
}

Work tokens_backward(Arrays& a, int64_t batch, int64_t heads, int64_t tokens, int64_t size, bool bias) {
  const AttentionOf<float> of = token_inputs(a, batch, heads, tokens, size, bias);
  const int64_t width = heads * size, rows = batch * tokens;
  const Tokens<const float> y_gradient = {
      a.input("y_gradient", {batch, tokens, width}, signed_numbers(rows * width, 1)), width};
  const std::vector<float> host_rows = token_rows(batch, heads, tokens, size),
                           host_bias = token_bias(heads, tokens);
  const RowStatistics statistics = statistics_input(
      a, attention_of_rows(host_rows.data(), bias ? host_bias.data() : nullptr, batch, heads, tokens, size));
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
  if constexpr (kHasCuda) {
    float* workspace = floats(a, attention_backward_floats(batch, heads, tokens));
    work.cuda = [=](Stream stream) { attention_backward(of, statistics, y_gradient, to, workspace, stream); };
  }
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
  const auto add = [&](const std::string& name, auto prepare, RunsOn on = RunsOn::Both) {
    cases.push_back({name, std::move(prepare), on});
  };
  add("position_attention/8x2592x32x256", [](Arrays& a) { return position_forward(a, 8, 2592, 32, 256); });
  add("position_attention/1x2048x32x256", [](Arrays& a) { return position_forward(a, 1, 2048, 32, 256); });
  add("position_attention/1x162x32x256", [](Arrays& a) { return position_forward(a, 1, 162, 32, 256); });
  add("position_attention_backward/8x2592x32x256",
      [](Arrays& a) { return position_backward(a, 8, 2592, 32, 256); });
  add("position_attention_backward/1x2048x32x256",
      [](Arrays& a) { return position_backward(a, 1, 2048, 32, 256); });
  add("position_attention_backward/1x162x32x256",
      [](Arrays& a) { return position_backward(a, 1, 162, 32, 256); });
  add("attention/vit_8x12x197x64", [](Arrays& a) { return tokens_forward(a, 8, 12, 197, 64, false); });
  add("attention/swin_64x3x49x32", [](Arrays& a) { return tokens_forward(a, 64, 3, 49, 32, true); });
  add("attention_backward/vit_8x12x197x64",
      [](Arrays& a) { return tokens_backward(a, 8, 12, 197, 64, false); });
  add("attention_backward/swin_64x3x49x32",
      [](Arrays& a) { return tokens_backward(a, 64, 3, 49, 32, true); });
  for (const bool ours : {true, false}) {
    const std::string name = ours ? "blocked_product/" : "one_dnn_product/";
    add(
        name + "2592x2592x32", [ours](Arrays& a) { return product(a, ours, 2592, 2592, 32); },
        RunsOn::CpuAlone);
    add(
        name + "2592x256x2592", [ours](Arrays& a) { return product(a, ours, 2592, 256, 2592); },
        RunsOn::CpuAlone);
  }
}

}  // namespace tyto::bench
