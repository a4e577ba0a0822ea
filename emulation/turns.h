// Whose turn it is: the threads of a block that can run, and the schedule's choice among them.
#pragma once

#include <array>
#include <cstdint>

#include "emulation/emulation.h"

namespace emulation {

inline constexpr int kWarp = 32;
inline constexpr int kMaxWarps = 32;  // a block's

// splitmix64 (Steele, Lea, Flood 2014): the schedules' randomness, the same on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t n) { return static_cast<uint32_t>((next() >> 32) * n >> 32); }

 private:
  uint64_t state_;
};

// A turn visits every warp once, and of a warp the lanes that could run when the visit began. Lanes that
// become ready meanwhile wait for the next turn; under WarpAhead the visit goes on until no lane of the warp
// can run.
class Turns {
 public:
  Turns(const Schedule& schedule, int warps);

  void ready(int thread) { ready_[thread / kWarp] |= 1u << thread % kWarp; }
  void ready(int warp, uint32_t lanes) { ready_[warp] |= lanes; }
  bool any_ready(int warp) const { return ready_[warp] != 0; }
  // The next thread, which is then no longer ready; -1: none is.
  int next();
  // Nobody is ready, and everybody is about to be: the first turn begins again.
  void restart();

 private:
  bool visit_next_warp();
  void begin_turn();
  int pick_lane();

  Schedule::Order order_;
  Random random_;
  int warps_;
  std::array<uint32_t, kMaxWarps> ready_{};
  std::array<uint8_t, kMaxWarps> warp_order_{};
  int visited_ = 0;        // warps of this turn
  int warp_ = -1;          // being visited; -1: none yet
  uint32_t visiting_ = 0;  // its lanes that this visit has yet to run
};

}  // namespace emulation
