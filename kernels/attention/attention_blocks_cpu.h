// What the CPU's attention and its backward pass share: how the map is cut, and a tile of it.
//
// A tile is transposed, [keys, queries]: keys and values are read where they stand, whereas the block of
// queries is packed once for all keys; and what softmax does with a row of the map it does to a vector of
// queries at once.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/attention/attention.h"

namespace tyto::kernels {

inline constexpr int64_t kQueryBlock = 96;  // at most: whole panels, and whole blocks of rows, on every level
// At most: a tile stays in a core's caches with the values of its keys.
inline constexpr int64_t kKeyBlock = 240;
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
// packed  packed_elements(depth, count)
void pack_queries(const AttentionOf<float>&, const QueryBlock&, float* packed);

// Part of a map, transposed; of its queries, the lanes of the last vector that has any are all worked on.
struct MapTile {
  float* data;  // [keys, stride]
  int64_t keys, queries, stride;
};

// The scores of `scores.keys` keys of a set, -infinity where the mask leaves one out.
void score_tile(const AttentionOf<float>&, const KeySet<float>&, const QueryBlock&,
                const float* packed_queries, int64_t first_key, const MapTile& scores);

// Scores of more keys come to those before them: e^(score - maximum) in their place, maximum and sum go on.
// What is of earlier keys has to be multiplied by rescale, e^(maximum before - maximum now).
// maximum, sum, rescale  [queries]; -infinity and 0 before the first key
void softmax_tile(const MapTile& scores, float* maximum, float* sum, float* rescale);

// Probabilities again, from what the forward pass left of their rows: e^(score - maximum) * share in place of
// scores.
// gradients  as scores, of the probabilities
// dot        [queries]: probabilities times their gradients, summed over the tile's keys
void probability_tile(const MapTile& scores, const float* gradients, const float* maximum, const float* share,
                      float* dot);

// gradients  as probabilities, of which they are; become those of the scores, times factor
// dot        [queries]: probabilities times their gradients, summed over all keys
void score_gradient_tile(const MapTile& probabilities, float* gradients, const float* dot, float factor);

// Scratch cut into arrays; null to count them.
class Arrays {
 public:
  explicit Arrays(float* scratch) : scratch_(scratch) {}
  float* take(int64_t count) {
    float* taken = scratch_ ? scratch_ + floats_ : nullptr;
    floats_ += whole_lanes(count);
    return taken;
  }
  int64_t floats() const { return floats_; }

 private:
  float* scratch_;
  int64_t floats_ = 0;
};

// Floats from the next cache line on.
inline float* aligned(float* p) {
  return reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(p) + 63) / 64 * 64);
}

}  // namespace tyto::kernels
