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

// [64 queries, 64 keys] of them in tiles of T, -infinity for keys that the mask leaves out.
template <class T>
__device__ __forceinline__ int added_index(int query, int key) {
  return key / kTileColumns<T> * kTileSize<T> + tile_index<T>(query, key % kTileColumns<T>);
}
template <class T>
__device__ void load_added(const AddedScores<T>& of, int query, int key, T* added) {
  for (int i = threadIdx.x; i < kTileRows * kTileRows; i += kTileThreads) {
    const int i_query = query + i / kTileRows, i_key = key + i % kTileRows;
    T value = from_float<T>(0);
    if (i_query < of.queries && i_key < of.keys) {
      if (of.bias) value = of.bias[static_cast<int64_t>(i_query) * of.keys + i_key];
      if (of.mask && of.mask[i_query * of.mask_stride + i_key] == 0) value = from_float<T>(-INFINITY);
    }
    added[added_index<T>(i / kTileRows, i % kTileRows)] = value;
  }
}

}  // namespace tyto::kernels
