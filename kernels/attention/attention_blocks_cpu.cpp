#include "kernels/attention/attention_blocks_cpu.h"

#include <limits>

#include "kernels/common/blocked_product.h"
#include "kernels/common/exponential.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/transpose_cpu.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kLanes = kAttentionLanes;
constexpr float kNoKey = -std::numeric_limits<float>::infinity();

// Calls body(lane) for those of a vector; not unrolled, lest the loop be taken apart before it becomes one.
template <class Body>
[[gnu::always_inline]] inline void for_each_lane(const Body& body) {
#pragma GCC unroll 1
  for (int64_t l = 0; l < kLanes; ++l) body(l);
}

// A row's maximum, to be subtracted: -infinity from -infinity would make a NaN of a row without a key.
[[gnu::always_inline]] inline float finite(float maximum) {
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  return maximum > kLowest ? maximum : kLowest;
}

// In an order that suits rows of either.
void leave_out(const int32_t* mask, int64_t mask_row, const MapTile& scores) {
  for (int64_t q = 0; q < scores.queries; q += kLanes)
    for (int64_t k = 0; k < scores.keys; ++k)
      for (int64_t l = q; l < std::min(q + kLanes, scores.queries); ++l)
        if (mask[l * mask_row + k] == 0) scores.data[k * scores.stride + l] = kNoKey;
}

}  // namespace

void pack_queries(const AttentionOf<float>& of, const QueryBlock& block, float* packed) {
  const float* q = of.q.data + (block.b * of.queries + block.first) * of.q.stride + block.head * of.depth;
  pack_columns(q, of.q.stride, of.depth, block.count, of.scale, packed);
}

void score_tile(const AttentionOf<float>& of, const KeySet<float>& set, const QueryBlock& block,
                const float* packed_queries, int64_t first_key, const MapTile& scores) {
  const AttentionShape shape = {of.batch, of.heads, of.queries, set.keys};
  const int64_t lanes = whole_lanes(scores.queries);
  const float* bias = set.bias.of(block.b, block.head, shape);
  if (bias) {
    if (scores.queries < lanes)  // what no query writes is read all the same
      for (int64_t k = 0; k < scores.keys; ++k)
        std::fill_n(scores.data + k * scores.stride + lanes - kLanes, kLanes, 0.0f);
    transpose(bias + block.first * set.keys + first_key, set.keys, scores.queries, scores.keys, 1,
              scores.data, scores.stride);
  }
  blocked_product({.rows = scores.keys,
                   .columns = lanes,
                   .depth = of.depth,
                   .a = set.k.data + (block.b * set.keys + first_key) * set.k.stride + block.head * of.depth,
                   .a_row = set.k.stride,
                   .b = packed_queries,
                   .b_panel = of.depth * kProductPanel,
                   .c = scores.data,
                   .c_row = scores.stride,
                   .accumulate = bias != nullptr});
  if (const int32_t* mask = set.mask.of(block.b, shape)) {
    const int64_t stride = set.mask.stride(shape);
    leave_out(mask + block.first * stride + first_key, stride, scores);
  }
}

TYTO_MULTIVERSION void softmax_tile(const MapTile& scores, float* maximum, float* sum, float* rescale) {
  for (int64_t q = 0; q < scores.queries; q += kLanes) {
    float largest[kLanes], from[kLanes], total[kLanes] = {};
    for_each_lane([&](int64_t l) { largest[l] = maximum[q + l]; });
    const float* score = scores.data + q;
    for (int64_t k = 0; k < scores.keys; ++k, score += scores.stride)  // a NaN is left to the sum
      for_each_lane([&](int64_t l) { largest[l] = score[l] > largest[l] ? score[l] : largest[l]; });
    for_each_lane([&](int64_t l) { from[l] = finite(largest[l]); });
    float* e = scores.data + q;
    for (int64_t k = 0; k < scores.keys; ++k, e += scores.stride)
      for_each_lane([&](int64_t l) {
        const float power = exponential(e[l] - from[l]);
        e[l] = power;
        total[l] += power;
      });
    float before[kLanes], with[kLanes];
    for_each_lane([&](int64_t l) { before[l] = maximum[q + l]; });
    for_each_lane([&](int64_t l) { before[l] = exponential(before[l] - from[l]); });
    for_each_lane([&](int64_t l) { with[l] = sum[q + l]; });
    for_each_lane([&](int64_t l) { with[l] = with[l] * before[l] + total[l]; });
    for_each_lane([&](int64_t l) { rescale[q + l] = before[l]; });
    for_each_lane([&](int64_t l) { sum[q + l] = with[l]; });
    for_each_lane([&](int64_t l) { maximum[q + l] = largest[l]; });
  }
}

TYTO_MULTIVERSION void probability_tile(const MapTile& scores, const float* gradients, const float* maximum,
                                        const float* share, float* dot) {
  for (int64_t q = 0; q < scores.queries; q += kLanes) {
    float from[kLanes], by[kLanes], total[kLanes] = {};
    for_each_lane([&](int64_t l) { from[l] = finite(maximum[q + l]); });
    for_each_lane([&](int64_t l) { by[l] = share[q + l]; });
    float* p = scores.data + q;
    const float* gradient = gradients + q;
    for (int64_t k = 0; k < scores.keys; ++k, p += scores.stride, gradient += scores.stride)
      for_each_lane([&](int64_t l) {
        const float probability = exponential(p[l] - from[l]) * by[l];
        p[l] = probability;
        total[l] += probability * gradient[l];
      });
    for_each_lane([&](int64_t l) { dot[q + l] = total[l]; });
  }
}

TYTO_MULTIVERSION void score_gradient_tile(const MapTile& probabilities, float* gradients, const float* dot,
                                           float factor) {
  const float* p = probabilities.data;
  for (int64_t k = 0; k < probabilities.keys;
       ++k, p += probabilities.stride, gradients += probabilities.stride)
    for (int64_t q = 0; q < probabilities.queries; q += kLanes)
      for_each_lane(
          [&](int64_t l) { gradients[q + l] = factor * p[q + l] * (gradients[q + l] - dot[q + l]); });
}

}  // namespace tyto::kernels
