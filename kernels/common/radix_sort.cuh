// Sorts lists of (key, value) by key, stably, where only the device knows how long they are: the least
// significant digit first, up to nine bits at a time.
//
// Two kernels a digit. In the first a block counts the digits of its tile of 4096 entries. In the second it
// adds up the counts of the tiles before it and of the lesser digits, ranks its entries (a warp's lanes with
// equal digits find each other by a vote) and writes each to its place. What keys there are makes no
// difference.
//
// Cost a digit: an entry's key is read twice, its value once, both are written once; each tile reads the
// counts of all, 2 KB a tile. Blocks behind the end of a list return at once.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>

#include "kernels/common/block_scan.cuh"
#include "kernels/common/cuda.h"
#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/common/stream.h"

namespace tyto::kernels {

template <class Value>
struct KeyedLists {
  uint32_t* keys;  // [lists, capacity]
  Value* values;   // [lists, capacity], each moved whole
};

namespace radix {

constexpr int kDigitBits = 9;
constexpr int kDigits = 1 << kDigitBits;
constexpr int kBlock = kDigits;  // a thread a digit
constexpr int kWarps = kBlock / kWarp;
constexpr int kRounds = 8;  // entries of a thread
constexpr int kTileOfWarp = kRounds * kWarp;
constexpr int kTile = kBlock * kRounds;

// Of the keys.
struct Digit {
  int shift, bits;

  __device__ int of(uint32_t key) const { return static_cast<int>(key >> shift & ((1u << bits) - 1)); }
  __device__ int values() const { return 1 << bits; }
};

inline int64_t tiles_of(int64_t capacity) { return (capacity + kTile - 1) / kTile; }

// table [lists, tiles, kDigits]: how many entries of a tile have a digit.
template <class Value>
__global__ void __launch_bounds__(kBlock)
    count_digits_kernel(const uint32_t* __restrict__ keys, const int32_t* __restrict__ counts, int tiles,
                        int64_t capacity, Digit digit, int32_t* __restrict__ table) {
  TYTO_SHARED_ARRAY(int, bins, kDigits);
  const int list = blockIdx.x / tiles, tile = blockIdx.x % tiles, thread = threadIdx.x;
  const int first = tile * kTile, end = min(first + kTile, counts[list]);
  if (first >= end) return;
  bins[thread] = 0;
  __syncthreads();
  keys += list * capacity;
  for (int i = first + thread; i < end; i += kBlock) atomicAdd(&bins[digit.of(keys[i])], 1);
  __syncthreads();
  if (thread < digit.values()) table[static_cast<int64_t>(blockIdx.x) * kDigits + thread] = bins[thread];
}

template <class Value>
__global__ void __launch_bounds__(kBlock)
    place_entries_kernel(KeyedLists<Value> from, const int32_t* __restrict__ counts, int tiles,
                         int64_t capacity, Digit digit, const int32_t* __restrict__ table,
                         KeyedLists<Value> to) {
  TYTO_SHARED_ARRAY(int, places, kWarps* kDigits);  // counts, then where a warp's next of a digit goes
  TYTO_SHARED_ARRAY(int, partial, kWarps);
  const int list = blockIdx.x / tiles, tile = blockIdx.x % tiles, thread = threadIdx.x;
  const int count = counts[list];
  if (tile * kTile >= count) return;
  const int lane = thread % kWarp;
  int* const of_warp = places + thread / kWarp * kDigits;
  const uint32_t* keys = from.keys + list * capacity;
  const int first = tile * kTile + thread / kWarp * kTileOfWarp + lane;

  for (int d = lane; d < kDigits; d += kWarp) of_warp[d] = 0;
  __syncwarp();
  uint32_t key[kRounds];
  int rank[kRounds];  // among the warp's entries of its digit
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int i = first + round * kWarp;
    key[round] = i < count ? keys[i] : 0;
    const int d = i < count ? digit.of(key[round]) : kDigits;
    const unsigned equals = __match_any_sync(kFullWarp, d);
    const int before = __popc(equals & ((1u << lane) - 1));
    rank[round] = before + (i < count ? of_warp[d] : 0);
    __syncwarp();
    if (before == 0 && i < count) of_warp[d] += __popc(equals);
    __syncwarp();
  }

  int before = 0, total = 0;  // entries of this thread's digit: in lesser tiles, and in all
  if (thread < digit.values()) {
    const int32_t* of_tile = table + static_cast<int64_t>(list) * tiles * kDigits + thread;
#pragma unroll 8
    for (int t = 0; t < (count + kTile - 1) / kTile; ++t) {
      const int here = of_tile[static_cast<int64_t>(t) * kDigits];
      before += t < tile ? here : 0;
      total += here;
    }
  }
  int next = before + block_scan<kBlock>(total, partial).before;  // has a barrier
  for (int warp = 0; warp < kWarps; ++warp) {
    const int here = places[warp * kDigits + thread];
    places[warp * kDigits + thread] = next;
    next += here;
  }
  __syncthreads();

#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int i = first + round * kWarp;
    if (i >= count) continue;
    const int64_t place = list * capacity + of_warp[digit.of(key[round])] + rank[round];
    to.keys[place] = key[round];
    copy_pack(from.values[list * capacity + i], to.values[place]);
  }
}

}  // namespace radix

inline int64_t radix_table_size(int64_t lists, int64_t capacity) {
  return lists * radix::tiles_of(capacity) * radix::kDigits;
}

// Digits of keys below `limit`.
inline int radix_digits(uint32_t limit) {
  const int bits = limit <= 1 ? 0 : std::bit_width(limit - 1);
  return (bits + radix::kDigitBits - 1) / radix::kDigitBits;
}

// Sorts `lists`, which end in themselves if radix_digits(limit) is even, else in `others`; of both no more is
// touched than entries are there. counts [lists], of at most capacity < 2^31; table of radix_table_size().
template <class Value>
void radix_sort(const KeyedLists<Value>& lists, const KeyedLists<Value>& others, const int32_t* counts,
                int64_t list_count, int64_t capacity, uint32_t limit, int32_t* table, Stream stream) {
  const int digits = radix_digits(limit);
  const auto tiles = static_cast<int>(radix::tiles_of(capacity));
  const LaunchConfig config = {
      .grid = blocks_for(list_count * tiles, 1), .block = radix::kBlock, .stream = stream};
  const int bits = limit <= 1 ? 0 : std::bit_width(limit - 1);
  for (int i = 0, shift = 0; i < digits; ++i) {
    const radix::Digit digit = {shift, (bits - shift) / (digits - i)};
    const auto& [from, to] = i % 2 == 0 ? std::pair(lists, others) : std::pair(others, lists);
    launch<radix::count_digits_kernel<Value>>(config, from.keys, counts, tiles, capacity, digit, table);
    launch<radix::place_entries_kernel<Value>>(config, from, counts, tiles, capacity, digit, table, to);
    shift += digit.bits;
  }
}

}  // namespace tyto::kernels
