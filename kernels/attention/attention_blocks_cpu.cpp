#include "kernels/attention/attention_blocks_cpu.h"

#include <limits>

#include "kernels/common/blocked_product.h"
#include "kernels/common/exponential.h"
#include "kernels/common/multiversion.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kLanes = kAttentionLanes;
constexpr float kNoKey = -std::numeric_limits<float>::infinity();

[[gnu::always_inline]] inline float larger(float a, float b) { return a > b || a != a ? a : b; }

// Calls body(query, key) for all of them, in an order that suits rows of either.
template <class Body>
void for_each_pair(int64_t queries, int64_t keys, const Body& body) {
  for (int64_t q = 0; q < queries; q += kAttentionLanes)
    for (int64_t k = 0; k < keys; ++k)
      for (int64_t l = q; l < std::min(q + kAttentionLanes, queries); ++l) body(l, k);
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
    for (int64_t k = 0; k < scores.keys; ++k)
      std::fill(scores.data + k * scores.stride + scores.queries, scores.data + k * scores.stride + lanes,
                0.0f);
    bias += block.first * set.keys + first_key;
    for_each_pair(scores.queries, scores.keys,
                  [&](int64_t q, int64_t k) { scores.data[k * scores.stride + q] = bias[q * set.keys + k]; });
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
    mask += block.first * stride + first_key;
    for_each_pair(scores.queries, scores.keys, [&](int64_t q, int64_t k) {
      if (mask[q * stride + k] == 0) scores.data[k * scores.stride + q] = kNoKey;
    });
  }
}

TYTO_MULTIVERSION void softmax_tile(const MapTile& scores, float* maximum, float* sum, float* rescale) {
  for (int64_t q = 0; q < scores.queries; q += kLanes) {
    float* const tile = scores.data + q;
    float largest[kLanes], from[kLanes], total[kLanes] = {};
    for (int64_t l = 0; l < kLanes; ++l) largest[l] = maximum[q + l];
    for (int64_t k = 0; k < scores.keys; ++k)
      for (int64_t l = 0; l < kLanes; ++l) largest[l] = larger(largest[l], tile[k * scores.stride + l]);
    // Without a key -infinity is subtracted from nothing, lest it make a NaN.
    for (int64_t l = 0; l < kLanes; ++l) from[l] = largest[l] == kNoKey ? 0 : largest[l];
    for (int64_t k = 0; k < scores.keys; ++k)
      for (int64_t l = 0; l < kLanes; ++l) {
        const float e = exponential(tile[k * scores.stride + l] - from[l]);
        tile[k * scores.stride + l] = e;
        total[l] += e;
      }
    for (int64_t l = 0; l < kLanes; ++l) {
      const float before = exponential(maximum[q + l] - from[l]);
      rescale[q + l] = before;
      sum[q + l] = sum[q + l] * before + total[l];
      maximum[q + l] = largest[l];
    }
  }
}

TYTO_MULTIVERSION void probability_tile(const MapTile& scores, const float* gradients, const float* maximum,
                                        const float* share, float* dot) {
  for (int64_t q = 0; q < scores.queries; q += kLanes) {
    float* const tile = scores.data + q;
    float from[kLanes], by[kLanes], total[kLanes] = {};
    for (int64_t l = 0; l < kLanes; ++l) from[l] = maximum[q + l] == kNoKey ? 0 : maximum[q + l];
    for (int64_t l = 0; l < kLanes; ++l) by[l] = share[q + l];
    for (int64_t k = 0; k < scores.keys; ++k)
      for (int64_t l = 0; l < kLanes; ++l) {
        const float p = exponential(tile[k * scores.stride + l] - from[l]) * by[l];
        tile[k * scores.stride + l] = p;
        total[l] += p * gradients[k * scores.stride + q + l];
      }
    for (int64_t l = 0; l < kLanes; ++l) dot[q + l] = total[l];
  }
}

TYTO_MULTIVERSION void score_gradient_tile(const MapTile& probabilities, float* gradients, const float* dot,
                                           float factor) {
  const float* p = probabilities.data;
  for (int64_t k = 0; k < probabilities.keys;
       ++k, p += probabilities.stride, gradients += probabilities.stride)
    for (int64_t q = 0; q < probabilities.queries; q += kLanes)
      for (int64_t l = q; l < q + kLanes; ++l) gradients[l] = factor * p[l] * (gradients[l] - dot[l]);
}

}  // namespace tyto::kernels
