#include "emulation/instrument/race_check.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace emulation::instrument {
namespace {

constexpr int kWarpSize = 32;
constexpr uint32_t kLastTick = 1u << 31;  // far enough from the end for any one launch

uint32_t bit(int lane) { return uint32_t{1} << lane; }

}  // namespace

bool RaceCheck::launch_begins() {
  const bool again = tick_ > kLastTick;
  if (again) {
    tick_ = 0;
    std::memset(seen_, 0, sizeof seen_);
  }
  launch_tick_ = block_tick_ = barrier_tick_ = ++tick_;
  blocks_.clear();
  return again;
}

void RaceCheck::block_begins(dim3 block) {
  block_tick_ = barrier_tick_ = ++tick_;
  blocks_.push_back({tick_, block});
}

void RaceCheck::warp_sync(int warp, uint32_t lanes) {
  ++tick_;
  auto& seen = seen_[warp];
  uint32_t together[kWarpSize] = {};
  for (uint32_t rest = lanes; rest; rest &= rest - 1)
    for (int other = 0, lane = std::countr_zero(rest); other < kWarpSize; ++other)
      together[other] = std::max(together[other], seen[lane][other]);
  for (uint32_t rest = lanes; rest; rest &= rest - 1) together[std::countr_zero(rest)] = tick_;
  for (uint32_t rest = lanes; rest; rest &= rest - 1)
    std::memcpy(seen[std::countr_zero(rest)], together, sizeof together);
}

dim3 RaceCheck::block_at(uint32_t tick) const {
  const auto after = std::upper_bound(blocks_.begin(), blocks_.end(), tick,
                                      [](uint32_t t, const BlockStart& b) { return t < b.tick; });
  return after == blocks_.begin() ? dim3(0) : std::prev(after)->block;
}

bool RaceCheck::ordered(uint32_t tick, int warp, int lane, ThreadId before) const {
  if (tick < barrier_tick_) return true;
  return warp == before.warp && (lane == before.lane || seen_[warp][before.lane][lane] > tick);
}

std::optional<Conflict> RaceCheck::with_write(const Cell& cell, ThreadId thread, uint32_t first) const {
  if (cell.write_tick < first) return {};
  const bool between_blocks = cell.write_tick < block_tick_;
  if (!between_blocks &&
      ordered(cell.write_tick, cell.write_thread / kWarpSize, cell.write_thread % kWarpSize, thread))
    return {};
  return Conflict{between_blocks, cell.write_site, AccessKind::Write, cell.write_thread, cell.write_tick};
}

std::optional<Conflict> RaceCheck::with_group(const AccessGroup& group, AccessKind kind, ThreadId thread,
                                              uint32_t first) const {
  if (group.tick < first) return {};
  const auto conflict = [&](bool between_blocks, int lane) {
    return Conflict{between_blocks, group.site, kind, group.warp * kWarpSize + lane, group.tick};
  };
  if (group.earlier_blocks || group.tick < block_tick_) return conflict(true, std::countr_zero(group.lanes));
  if (group.tick < barrier_tick_) return {};
  if (group.many_warps && group.warp == thread.warp) return conflict(false, std::countr_zero(group.lanes));
  for (uint32_t rest = group.lanes; rest; rest &= rest - 1)
    if (const int lane = std::countr_zero(rest); !ordered(group.tick, group.warp, lane, thread))
      return conflict(false, lane);
  return {};
}

void RaceCheck::join(AccessGroup& group, ThreadId thread, SiteId site, uint32_t first) const {
  if (group.tick < first) {
    group.lanes = 0;
    group.many_warps = group.earlier_blocks = false;
  } else if (group.tick < barrier_tick_) {
    group.earlier_blocks |= group.tick < block_tick_;
    group.lanes = 0;
    group.many_warps = false;
  } else if (group.warp != thread.warp) {
    group.lanes = 0;
    group.many_warps = true;
  } else if (group.tick != tick_) {
    for (uint32_t rest = group.lanes; rest; rest &= rest - 1)
      if (const int lane = std::countr_zero(rest); ordered(group.tick, group.warp, lane, thread))
        group.lanes &= ~bit(lane);
  }
  group.tick = tick_;
  group.lanes |= bit(thread.lane);
  group.site = site;
  group.warp = static_cast<uint8_t>(thread.warp);
}

std::optional<Conflict> RaceCheck::read(Cell& cell, const AccessGroup* atomics, ThreadId thread, SiteId site,
                                        Space space) {
  const uint32_t first = first_tick(space);
  auto conflict = with_write(cell, thread, first);
  if (!conflict && atomics) conflict = with_group(*atomics, AccessKind::Atomic, thread, first);
  join(cell.readers, thread, site, first);
  return conflict;
}

std::optional<Conflict> RaceCheck::write(Cell& cell, const AccessGroup* atomics, ThreadId thread, SiteId site,
                                         Space space) {
  const uint32_t first = first_tick(space);
  auto conflict = with_write(cell, thread, first);
  if (!conflict) conflict = with_group(cell.readers, AccessKind::Read, thread, first);
  if (!conflict && atomics) conflict = with_group(*atomics, AccessKind::Atomic, thread, first);
  cell.write_tick = tick_;
  cell.write_thread = static_cast<uint16_t>(thread.linear);
  cell.write_site = site;
  return conflict;
}

std::optional<Conflict> RaceCheck::atomic(Cell& cell, AccessGroup& atomics, ThreadId thread, SiteId site,
                                          Space space, bool order_matters) {
  const uint32_t first = first_tick(space);
  auto conflict = with_write(cell, thread, first);
  if (!conflict) conflict = with_group(cell.readers, AccessKind::Read, thread, first);
  if (!conflict && order_matters) conflict = with_group(atomics, AccessKind::Atomic, thread, first);
  join(atomics, thread, site, first);
  cell.readers.has_atomics = true;
  return conflict;
}

}  // namespace emulation::instrument
