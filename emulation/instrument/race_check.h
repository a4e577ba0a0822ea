// Which accesses of a launch are ordered, and which only seem so.
//
// Time is a counter of ticks that moves at every launch, block, block barrier and __syncwarp. A word
// remembers when, by whom and where it was last written, read and atomically changed; an access conflicts
// with what it finds there unless a barrier that both threads took part in came between.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "emulation/instrument/access.h"
#include "emulation/observer.h"

namespace emulation::instrument {

using SiteId = uint16_t;  // a position in a kernel's code

// Threads that made the same kind of access, which does not conflict with itself: readers, or atomics.
struct AccessGroup {
  uint32_t tick = 0;                // of the latest
  uint32_t lanes = 0;               // of the latest one's warp, that no later member is ordered after
  SiteId site = 0;                  // of the latest
  uint8_t warp = 0;                 // of the latest
  bool many_warps : 1 = false;      // others since the last block barrier, too
  bool earlier_blocks : 1 = false;  // others of this launch, too
  bool has_atomics : 1 = false;     // in a word's readers: its atomics are kept apart
};

// What is remembered of a word.
struct Cell {
  AccessGroup readers;
  uint32_t write_tick = 0;
  uint16_t write_thread = 0;
  SiteId write_site = 0;
};

struct Conflict {
  bool between_blocks = false;
  SiteId other_site = 0;
  AccessKind other_kind{};
  int other_thread = 0;     // in its block
  uint32_t other_tick = 0;  // names its block
};

class RaceCheck {
 public:
  // True where the ticks started again: whoever keeps cells must forget them.
  bool launch_begins();
  void block_begins(dim3 block);
  void block_barrier() { barrier_tick_ = ++tick_; }
  void warp_sync(int warp, uint32_t lanes);

  // Each says what the access conflicts with, if anything, and remembers it. `atomics`: nullptr if the word
  // has none.
  std::optional<Conflict> read(Cell& cell, const AccessGroup* atomics, ThreadId thread, SiteId site,
                               Space space);
  std::optional<Conflict> write(Cell& cell, const AccessGroup* atomics, ThreadId thread, SiteId site,
                                Space space);
  // Atomics conflict with each other only where their order matters.
  std::optional<Conflict> atomic(Cell& cell, AccessGroup& atomics, ThreadId thread, SiteId site, Space space,
                                 bool order_matters);

  bool in_this_launch(uint32_t tick) const { return tick >= launch_tick_; }
  dim3 block_at(uint32_t tick) const;

 private:
  // Accesses to shared memory matter within a block, to device memory within a launch.
  uint32_t first_tick(Space space) const { return space == Space::Shared ? block_tick_ : launch_tick_; }
  bool ordered(uint32_t tick, int warp, int lane, ThreadId before) const;
  std::optional<Conflict> with_write(const Cell& cell, ThreadId thread, uint32_t first) const;
  std::optional<Conflict> with_group(const AccessGroup& group, AccessKind kind, ThreadId thread,
                                     uint32_t first) const;
  void join(AccessGroup& group, ThreadId thread, SiteId site, uint32_t first) const;

  uint32_t tick_ = 0, launch_tick_ = 0, block_tick_ = 0, barrier_tick_ = 0;
  // seen_[warp][a][b]: what lane b did before this tick is ordered before what lane a does now.
  uint32_t seen_[32][32][32] = {};
  struct BlockStart {
    uint32_t tick;
    dim3 block;
  };
  std::vector<BlockStart> blocks_;  // of this launch
};

}  // namespace emulation::instrument
