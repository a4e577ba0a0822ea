#include "kernels/attention/attention_blocks_cpu.h"

#include <limits>

#include "kernels/common/blocked_product.h"
#include "kernels/common/exponential.h"
#include "kernels/common/multiversion.h"

namespace tyto::kernels {
namespace {

constexpr float kNoKey = -std::numeric_limits<float>::infinity();

[[gnu::always_inline]] inline float larger(float a, float b) { return a > b || a != a ? a : b; }

// to[k, q] = from[q, k]
void transpose(const float* from, int64_t stride, int64_t queries, int64_t keys, float* to) {
  for (int64_t q = 0; q < queries; q += kAttentionLanes)
    for (int64_t k = 0; k < keys; ++k)
      for (int64_t l = q; l < std::min(q + kAttentionLanes, queries); ++l)
        to[k * kQueryBlock + l] = from[l * stride + k];
}

void leave_out(const int32_t* mask, int64_t stride, int64_t queries, int64_t keys, float* scores) {
  for (int64_t q = 0; q < queries; q += kAttentionLanes)
    for (int64_t k = 0; k < keys; ++k)
      for (int64_t l = q; l < std::min(q + kAttentionLanes, queries); ++l)
        if (mask[l * stride + k] == 0) scores[k * kQueryBlock + l] = kNoKey;
}

}  // namespace

void pack_queries(const AttentionOf<float>& of, const QueryBlock& block, float* packed) {
  const float* q = of.q.data + (block.b * of.queries + block.first) * of.q.stride + block.head * of.depth;
  pack_columns(q, of.q.stride, of.depth, block.count, of.scale, packed);
}

void score_tile(const AttentionOf<float>& of, const KeySet<float>& set, const QueryBlock& block,
                const float* packed_queries, int64_t first_key, int64_t keys, float* scores) {
  const AttentionShape shape = {of.batch, of.heads, of.queries, set.keys};
  const float* bias = set.bias.of(block.b, block.head, shape);
  if (bias) {
    if (block.count % kAttentionLanes != 0)  // those beyond the last
      for (int64_t k = 0; k < keys; ++k)
        std::fill(scores + k * kQueryBlock + block.count, scores + k * kQueryBlock + whole_lanes(block.count),
                  0.0f);
    transpose(bias + block.first * set.keys + first_key, set.keys, block.count, keys, scores);
  }
  blocked_product({.rows = keys,
                   .columns = whole_lanes(block.count),
                   .depth = of.depth,
                   .a = set.k.data + (block.b * set.keys + first_key) * set.k.stride + block.head * of.depth,
                   .a_row = set.k.stride,
                   .b = packed_queries,
                   .b_panel = of.depth * kProductPanel,
                   .c = scores,
                   .c_row = kQueryBlock,
                   .accumulate = bias != nullptr});
  if (const int32_t* mask = set.mask.of(block.b, shape)) {
    const int64_t stride = set.mask.stride(shape);
    leave_out(mask + block.first * stride + first_key, stride, block.count, keys, scores);
  }
}

TYTO_MULTIVERSION void softmax_tile(float* scores, int64_t keys, int64_t queries, float* maximum, float* sum,
                                    float* rescale) {
  constexpr int64_t kLanes = kAttentionLanes;
  for (int64_t q = 0; q < queries; q += kLanes) {
    float* const tile = scores + q;
    float largest[kLanes], from[kLanes], total[kLanes] = {};
    for (int64_t l = 0; l < kLanes; ++l) largest[l] = maximum[q + l];
    for (int64_t k = 0; k < keys; ++k)
      for (int64_t l = 0; l < kLanes; ++l) largest[l] = larger(largest[l], tile[k * kQueryBlock + l]);
    // Without a key -infinity is subtracted from nothing, lest it make a NaN.
    for (int64_t l = 0; l < kLanes; ++l) from[l] = largest[l] == kNoKey ? 0 : largest[l];
    for (int64_t k = 0; k < keys; ++k)
      for (int64_t l = 0; l < kLanes; ++l) {
        const float e = exponential(tile[k * kQueryBlock + l] - from[l]);
        tile[k * kQueryBlock + l] = e;
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

}  // namespace tyto::kernels
