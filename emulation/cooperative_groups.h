// Cooperative groups: the block, tiles of a warp, and the lanes that happen to be together. No grid groups:
// blocks run one after the other.
#pragma once

#include <bit>
#include <cstdint>

#include "emulation/barrier.h"
#include "emulation/builtins.h"
#include "emulation/warp.h"

namespace cooperative_groups {

using Where = emulation::Where;

class thread_block {
 public:
  static unsigned size() { return blockDim.x * blockDim.y * blockDim.z; }
  static unsigned num_threads() { return size(); }
  static unsigned thread_rank() {
    return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  }
  static dim3 group_index() { return {blockIdx.x, blockIdx.y, blockIdx.z}; }
  static dim3 thread_index() { return {threadIdx.x, threadIdx.y, threadIdx.z}; }
  static dim3 dim_threads() { return blockDim; }
  static void sync(Where where = Where::current()) {
    emulation::block_barrier("thread_block::sync", false, where);
  }
};

inline thread_block this_thread_block() { return {}; }

namespace detail {

// Lanes of one warp, as a mask.
class lanes {
 public:
  explicit lanes(uint32_t mask) : mask_(mask) {}

  unsigned size() const { return std::popcount(mask_); }
  unsigned num_threads() const { return size(); }
  unsigned thread_rank() const { return std::popcount(mask_ & ((1u << emulation::lane()) - 1)); }
  void sync(Where where = Where::current()) const { emulation::warp_barrier("sync", mask_, where); }

  int any(int vote, Where where = Where::current()) const { return votes("any", vote, where) != 0; }
  int all(int vote, Where where = Where::current()) const { return votes("all", vote, where) == mask_; }
  unsigned ballot(int vote, Where where = Where::current()) const {
    return packed(votes("ballot", vote, where));
  }
  template <class T>
  unsigned match_any(T value, Where where = Where::current()) const {
    return packed(emulation::match_any("match_any", mask_, emulation::bits_of(value), where));
  }

  template <class T>
  T shfl(T value, int rank, Where where = Where::current()) const {
    return from("shfl", value, rank & (std::bit_ceil(size()) - 1), where);
  }
  // Beyond the group's ends a thread gets its own value.
  template <class T>
  T shfl_up(T value, unsigned delta, Where where = Where::current()) const {
    const unsigned rank = thread_rank();
    return from("shfl_up", value, rank < delta ? rank : rank - delta, where);
  }
  template <class T>
  T shfl_down(T value, unsigned delta, Where where = Where::current()) const {
    const unsigned rank = thread_rank();
    return from("shfl_down", value, rank + delta < size() ? rank + delta : rank, where);
  }

 protected:
  template <class T>
  T from(const char* operation, T value, unsigned rank, Where where) const {
    uint32_t left = mask_;
    for (; rank > 0; --rank) left &= left - 1;
    return emulation::shuffle_value(operation, mask_, value, std::countr_zero(left), where);
  }

 private:
  uint32_t votes(const char* operation, int vote, Where where) const {
    return emulation::ballot(operation, mask_, vote != 0, where);
  }
  // Bit r for the thread of rank r.
  uint32_t packed(uint32_t by_lane) const {
    uint32_t by_rank = 0;
    int rank = 0;
    for (uint32_t left = mask_; left != 0; left &= left - 1, ++rank)
      by_rank |= (by_lane >> std::countr_zero(left) & 1) << rank;
    return by_rank;
  }

  uint32_t mask_;
};

}  // namespace detail

// `Size` threads of consecutive rank, a power of two up to 32.
template <unsigned Size, class Parent = void>
class thread_block_tile : public detail::lanes {
  static_assert(std::has_single_bit(Size) && Size <= 32, "a tile has 1, 2, 4, 8, 16 or 32 threads");

 public:
  thread_block_tile() : lanes((Size == 32 ? ~0u : (1u << Size) - 1) << (emulation::lane() & ~(Size - 1))) {}

  static constexpr unsigned size() { return Size; }
  static constexpr unsigned num_threads() { return Size; }
  static unsigned thread_rank() { return emulation::lane() & (Size - 1); }
  static unsigned meta_group_rank() { return thread_block::thread_rank() / Size; }
  static unsigned meta_group_size() { return (thread_block::size() + Size - 1) / Size; }

  template <class T>
  T shfl_xor(T value, unsigned flipped, Where where = Where::current()) const {
    return from("shfl_xor", value, (thread_rank() ^ flipped) & (Size - 1), where);
  }
};

template <unsigned Size, class Parent>
thread_block_tile<Size, Parent> tiled_partition(const Parent&) {
  return {};
}

class coalesced_group : public detail::lanes {
 public:
  using lanes::lanes;
};

inline coalesced_group coalesced_threads(Where where = Where::current()) {
  return coalesced_group(emulation::convergent_lanes("coalesced_threads", where));
}

template <class Group>
void sync(const Group& group, Where where = Where::current()) {
  group.sync(where);
}

template <class T>
struct plus {
  T operator()(T a, T b) const { return a + b; }
};
template <class T>
struct less {
  T operator()(T a, T b) const { return b < a ? b : a; }
};
template <class T>
struct greater {
  T operator()(T a, T b) const { return a < b ? b : a; }
};
template <class T>
struct bit_and {
  T operator()(T a, T b) const { return a & b; }
};
template <class T>
struct bit_or {
  T operator()(T a, T b) const { return a | b; }
};
template <class T>
struct bit_xor {
  T operator()(T a, T b) const { return a ^ b; }
};

// A butterfly over a tile: every thread gets the same bits, if `combine` commutes.
template <unsigned Size, class Parent, class T, class Combine>
T reduce(const thread_block_tile<Size, Parent>& tile, T value, Combine combine,
         Where where = Where::current()) {
  for (unsigned lanes = Size / 2; lanes > 0; lanes /= 2)
    value = combine(value, tile.shfl_xor(value, lanes, where));
  return value;
}

// In order of rank.
template <class T, class Combine>
T reduce(const coalesced_group& group, T value, Combine combine, Where where = Where::current()) {
  T all = group.shfl(value, 0, where);
  for (unsigned rank = 1; rank < group.size(); ++rank) all = combine(all, group.shfl(value, rank, where));
  return all;
}

}  // namespace cooperative_groups
