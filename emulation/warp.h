// What the lanes of a warp do together. Stricter than CUDA where CUDA leaves it undefined or open: a lane
// outside its own mask, a mask that names a lane which has ended, a value taken from a lane outside the mask
// and lanes that wait at different lines for each other are all faults. (__syncwarp's mask may name lanes
// that have ended.)
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "emulation/builtins.h"
#include "emulation/where.h"

namespace emulation {

void warp_barrier(const char* operation, uint32_t mask, Where where);
uint64_t shuffle(const char* operation, uint32_t mask, uint64_t value, int source, Where where);
uint32_t ballot(const char* operation, uint32_t mask, bool vote, Where where);
uint32_t match_any(const char* operation, uint32_t mask, uint64_t value, Where where);
uint32_t convergent_lanes(const char* operation, Where where);
int lane();

enum class Combine { Add, MinSigned, MinUnsigned, MaxSigned, MaxUnsigned, And, Or, Xor };
uint32_t combine(const char* operation, uint32_t mask, Combine how, uint32_t value, Where where);

template <class T, class... Choices>
inline constexpr bool kIsOneOf = (std::is_same_v<T, Choices> || ...);

// What CUDA's shuffles take.
template <class T>
concept Exchangeable = std::is_arithmetic_v<T> || kIsOneOf<T, __half, __half2, __nv_bfloat16, __nv_bfloat162>;

template <Exchangeable T>
uint64_t bits_of(const T& value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

template <Exchangeable T>
T shuffle_value(const char* operation, uint32_t mask, T value, int source, Where where) {
  const uint64_t bits = shuffle(operation, mask, bits_of(value), source, where);
  std::memcpy(static_cast<void*>(&value), &bits, sizeof(T));
  return value;
}

// PTX's rules: the warp falls into segments of `width` lanes; who asks beyond its own segment gets its own
// value.
inline int segment_of(int width) { return lane() & ~(width - 1); }
inline int within(bool inside, int source) { return inside ? source : lane(); }

}  // namespace emulation

inline void __syncwarp(unsigned mask = 0xffffffffu, emulation::Where where = emulation::Where::current()) {
  emulation::warp_barrier("__syncwarp", mask, where);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              emulation::Where where = emulation::Where::current()) {
  return emulation::shuffle_value("__shfl_sync", mask, value,
                                  emulation::segment_of(width) | (source & (width - 1)), where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 emulation::Where where = emulation::Where::current()) {
  const int source = emulation::lane() - static_cast<int>(delta);
  return emulation::shuffle_value("__shfl_up_sync", mask, value,
                                  emulation::within(source >= emulation::segment_of(width), source), where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   emulation::Where where = emulation::Where::current()) {
  const int source = emulation::lane() + static_cast<int>(delta);
  return emulation::shuffle_value("__shfl_down_sync", mask, value,
                                  emulation::within(source < emulation::segment_of(width) + width, source),
                                  where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  emulation::Where where = emulation::Where::current()) {
  const int source = emulation::lane() ^ lanes;
  return emulation::shuffle_value("__shfl_xor_sync", mask, value,
                                  emulation::within(source < emulation::segment_of(width) + width, source),
                                  where);
}

inline unsigned __ballot_sync(unsigned mask, int vote, emulation::Where where = emulation::Where::current()) {
  return emulation::ballot("__ballot_sync", mask, vote != 0, where);
}
inline int __any_sync(unsigned mask, int vote, emulation::Where where = emulation::Where::current()) {
  return emulation::ballot("__any_sync", mask, vote != 0, where) != 0;
}
inline int __all_sync(unsigned mask, int vote, emulation::Where where = emulation::Where::current()) {
  return emulation::ballot("__all_sync", mask, vote != 0, where) == mask;
}
inline unsigned __activemask(emulation::Where where = emulation::Where::current()) {
  return emulation::convergent_lanes("__activemask", where);
}

template <class T>
unsigned __match_any_sync(unsigned mask, T value, emulation::Where where = emulation::Where::current()) {
  return emulation::match_any("__match_any_sync", mask, emulation::bits_of(value), where);
}
template <class T>
unsigned __match_all_sync(unsigned mask, T value, int* all,
                          emulation::Where where = emulation::Where::current()) {
  *all = emulation::match_any("__match_all_sync", mask, emulation::bits_of(value), where) == mask;
  return *all ? mask : 0;
}

#define TYTO_REDUCE_SYNC(name, type, how)                                                               \
  inline type name(unsigned mask, type value, emulation::Where where = emulation::Where::current()) {   \
    return static_cast<type>(                                                                           \
        emulation::combine(#name, mask, emulation::Combine::how, static_cast<uint32_t>(value), where)); \
  }
TYTO_REDUCE_SYNC(__reduce_add_sync, unsigned, Add)
TYTO_REDUCE_SYNC(__reduce_add_sync, int, Add)
TYTO_REDUCE_SYNC(__reduce_min_sync, unsigned, MinUnsigned)
TYTO_REDUCE_SYNC(__reduce_min_sync, int, MinSigned)
TYTO_REDUCE_SYNC(__reduce_max_sync, unsigned, MaxUnsigned)
TYTO_REDUCE_SYNC(__reduce_max_sync, int, MaxSigned)
TYTO_REDUCE_SYNC(__reduce_and_sync, unsigned, And)
TYTO_REDUCE_SYNC(__reduce_or_sync, unsigned, Or)
TYTO_REDUCE_SYNC(__reduce_xor_sync, unsigned, Xor)
#undef TYTO_REDUCE_SYNC
