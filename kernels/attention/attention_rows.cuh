// What a block of attention's kernels works on: rows of one head, and what is added to its scores.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/attention/attention_tiles.cuh"

namespace tyto::kernels {

template <class T>
__device__ __forceinline__ TokenRows<T> rows_of(const Tokens<T>& tokens, int64_t b, int64_t head,
                                                int64_t count, int64_t size) {
  return {tokens.data + b * count * tokens.stride + head * size, tokens.stride, static_cast<int>(count),
          static_cast<int>(size)};
}

// Whether any set has a bias or a mask.
template <class T>
__host__ __device__ bool adds_to_scores(const AttentionOf<T>& of) {
  for (int s = 0; s < of.key_sets; ++s)
    if (of.sets[s].bias.data || of.sets[s].mask.data) return true;
  return false;
}

template <class T>
struct AddedScores {
  const T* bias;        // [queries, keys] or null
  const int32_t* mask;  // as AttentionMask::of()
  int64_t mask_stride;
  int queries, keys;
};

template <class T>
__device__ __forceinline__ AddedScores<T> added_scores(const AttentionOf<T>& of, const KeySet<T>& set,
                                                       int64_t b, int64_t head) {
  const AttentionShape shape = {of.batch, of.heads, of.queries, set.keys};
  return {set.bias.of(b, head, shape), set.mask.of(b, shape), set.mask.stride(shape),
          static_cast<int>(of.queries), static_cast<int>(set.keys)};
}

// 64 queries times 64 keys of them in tiles of T, -infinity for keys that the mask leaves out. The tiles'
// rows are queries; kAcross: keys.
template <class T, bool kAcross = false>
__device__ __forceinline__ unsigned added_index(unsigned query, unsigned key) {
  const unsigned row = kAcross ? key : query, column = kAcross ? query : key;
  return column / kTileColumns<T> * kTileSize<T> + tile_index<T>(row, column % kTileColumns<T>);
}
template <class T, bool kAcross = false>
__device__ void load_added(const AddedScores<T>& of, int query, int key, T* added) {
#pragma unroll 1
  for (int i = threadIdx.x; i < kTileRows * kTileRows; i += kTileThreads) {
    // Across, a warp takes eight keys of four queries, whole sectors of floats, and writes into all banks.
    const int at_query = kAcross ? i / 256 * 4 + i / 8 % 4 : i / kTileRows,
              at_key = kAcross ? i / 32 % 8 * 8 + i % 8 : i % kTileRows;
    T value = from_float<T>(0);
    if (query + at_query < of.queries && key + at_key < of.keys) {
      if (of.bias) value = of.bias[static_cast<int64_t>(query + at_query) * of.keys + key + at_key];
      if (of.mask && of.mask[(query + at_query) * of.mask_stride + key + at_key] == 0)
        value = from_float<T>(-INFINITY);
    }
    added[added_index<T, kAcross>(at_query, at_key)] = value;
  }
}

}  // namespace tyto::kernels
