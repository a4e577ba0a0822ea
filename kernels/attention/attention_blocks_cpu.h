// What the CPU's attention and its backward pass share: how the map is cut, and a tile of it.
//
// A tile is transposed, [keys, kQueryBlock]: keys and values are read where they stand or packed a panel at a
// time, whereas the block of queries is packed once for all keys; and what softmax does with a row of the map
// it does to a vector of queries at once.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/attention/attention.h"

namespace tyto::kernels {

inline constexpr int64_t kQueryBlock = 96;  // at most: whole panels, and whole blocks of rows on every level
inline constexpr int64_t kKeyBlock = 240;   // at most: with a panel of values it stays in a core's caches
inline constexpr int64_t kAttentionLanes = 16;

inline int64_t whole_lanes(int64_t n) {
  return (n + kAttentionLanes - 1) / kAttentionLanes * kAttentionLanes;
}

// `count` cut into the fewest parts of at most `most`, a multiple of `step`, all but the last of one size.
struct Parts {
  int64_t count, size, parts;

  Parts(int64_t count_, int64_t most, int64_t step) : count(count_) {
    const int64_t fewest = std::max<int64_t>(1, (count + most - 1) / most);
    size = std::max(step, (count + fewest * step - 1) / (fewest * step) * step);
    parts = (count + size - 1) / size;
  }
  int64_t begin(int64_t part) const { return part * size; }
  int64_t length(int64_t part) const { return std::min(size, count - begin(part)); }
};
inline Parts query_parts(int64_t queries, int64_t most = kQueryBlock) {
  return Parts(queries, most, kAttentionLanes);
}
inline Parts key_parts(int64_t keys) { return Parts(keys, kKeyBlock, 12); }

// Some queries of one head.
struct QueryBlock {
  int64_t b, head, first, count;
};

// The block's queries, times scale.
// packed  packed_floats(depth, count)
void pack_queries(const AttentionOf<float>&, const QueryBlock&, float* packed);

// The scores of some keys of a set, -infinity where the mask leaves one out.
// scores  [keys, kQueryBlock]; written up to the next multiple of kAttentionLanes queries
void score_tile(const AttentionOf<float>&, const KeySet<float>&, const QueryBlock&,
                const float* packed_queries, int64_t first_key, int64_t keys, float* scores);

// Scores of more keys come to those before them: e^(score - maximum) in their place, maximum and sum go on.
// What is of earlier keys has to be multiplied by rescale, e^(maximum before - maximum now).
// scores                 [keys, kQueryBlock], of which `queries` are a multiple of kAttentionLanes
// maximum, sum, rescale  [kQueryBlock]; -infinity and 0 before the first key
void softmax_tile(float* scores, int64_t keys, int64_t queries, float* maximum, float* sum, float* rescale);

// Floats from the next cache line on.
inline float* aligned(float* p) {
  return reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(p) + 63) / 64 * 64);
}

}  // namespace tyto::kernels
