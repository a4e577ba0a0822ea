#include "emulation/warp.h"

#include <algorithm>
#include <string>

#include "emulation/block.h"

namespace emulation {
namespace {

struct Parcel {
  uint64_t value = 0;
  int source = 0;
  uint64_t result = 0;
};

Parcel& parcel_of(void* const* parcels, int lane) { return *static_cast<Parcel*>(parcels[lane]); }

template <class F>
void each_lane(uint32_t lanes, F f) {
  for (; lanes != 0; lanes &= lanes - 1) f(std::countr_zero(lanes));
}

void exchange_shuffle(void* const* parcels, uint32_t lanes) {
  each_lane(lanes, [&](int l) {
    Parcel& p = parcel_of(parcels, l);
    p.result = parcel_of(parcels, p.source).value;
  });
}

void exchange_ballot(void* const* parcels, uint32_t lanes) {
  uint64_t votes = 0;
  each_lane(lanes, [&](int l) { votes |= parcel_of(parcels, l).value << l; });
  each_lane(lanes, [&](int l) { parcel_of(parcels, l).result = votes; });
}

void exchange_match(void* const* parcels, uint32_t lanes) {
  each_lane(lanes, [&](int l) {
    Parcel& p = parcel_of(parcels, l);
    each_lane(lanes,
              [&](int other) { p.result |= uint64_t{parcel_of(parcels, other).value == p.value} << other; });
  });
}

template <Combine How>
uint32_t combined(uint32_t a, uint32_t b) {
  const auto x = static_cast<int32_t>(a), y = static_cast<int32_t>(b);
  switch (How) {
    case Combine::Add:
      return a + b;
    case Combine::MinSigned:
      return static_cast<uint32_t>(std::min(x, y));
    case Combine::MinUnsigned:
      return std::min(a, b);
    case Combine::MaxSigned:
      return static_cast<uint32_t>(std::max(x, y));
    case Combine::MaxUnsigned:
      return std::max(a, b);
    case Combine::And:
      return a & b;
    case Combine::Or:
      return a | b;
    case Combine::Xor:
      return a ^ b;
  }
}

template <Combine How>
void exchange_combine(void* const* parcels, uint32_t lanes) {
  const auto value = [&](int l) { return static_cast<uint32_t>(parcel_of(parcels, l).value); };
  uint32_t all = value(std::countr_zero(lanes));
  each_lane(lanes & (lanes - 1), [&](int l) { all = combined<How>(all, value(l)); });
  each_lane(lanes, [&](int l) { parcel_of(parcels, l).result = all; });
}

uint64_t meet(const char* operation, Exchange exchange, uint32_t mask, Parcel parcel, Where where) {
  Block::running().meet({.operation = operation, .exchange = exchange, .mask = mask, .where = where},
                        &parcel);
  return parcel.result;
}

}  // namespace

int lane() { return Block::running().thread()->lane; }

void warp_barrier(const char* operation, uint32_t mask, Where where) {
  Block::running().meet(
      {.operation = operation, .mask = mask, .orders_memory = true, .exited_may_miss = true, .where = where},
      nullptr);
}

uint64_t shuffle(const char* operation, uint32_t mask, uint64_t value, int source, Where where) {
  if (!(mask >> (source & 31) & 1))
    Block::running().fault(std::string(operation) + " by lane " + std::to_string(lane()) +
                               " takes the value of lane " + std::to_string(source) +
                               ", which its mask does not name",
                           where);
  return meet(operation, exchange_shuffle, mask, {.value = value, .source = source & 31}, where);
}

uint32_t ballot(const char* operation, uint32_t mask, bool vote, Where where) {
  return static_cast<uint32_t>(meet(operation, exchange_ballot, mask, {.value = vote}, where));
}

uint32_t match_any(const char* operation, uint32_t mask, uint64_t value, Where where) {
  return static_cast<uint32_t>(meet(operation, exchange_match, mask, {.value = value}, where));
}

uint32_t convergent_lanes(const char* operation, Where where) {
  return Block::running().gather(operation, where);
}

uint32_t combine(const char* operation, uint32_t mask, Combine how, uint32_t value, Where where) {
  static constexpr Exchange kExchanges[] = {
      exchange_combine<Combine::Add>,         exchange_combine<Combine::MinSigned>,
      exchange_combine<Combine::MinUnsigned>, exchange_combine<Combine::MaxSigned>,
      exchange_combine<Combine::MaxUnsigned>, exchange_combine<Combine::And>,
      exchange_combine<Combine::Or>,          exchange_combine<Combine::Xor>,
  };
  return static_cast<uint32_t>(
      meet(operation, kExchanges[static_cast<int>(how)], mask, {.value = value}, where));
}

}  // namespace emulation
