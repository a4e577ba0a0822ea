#include "emulation/turns.h"

#include <bit>
#include <utility>

namespace emulation {

Turns::Turns(const Schedule& schedule, int warps)
    : order_(schedule.order), random_(schedule.seed), warps_(warps) {
  for (int w = 0; w < warps; ++w)
    warp_order_[w] = static_cast<uint8_t>(order_ == Schedule::Order::Reverse ? warps - 1 - w : w);
  begin_turn();
}

void Turns::begin_turn() {
  visited_ = 0;
  warp_ = -1;
  if (order_ != Schedule::Order::Shuffled && order_ != Schedule::Order::WarpAhead) return;
  for (int w = warps_ - 1; w > 0; --w) std::swap(warp_order_[w], warp_order_[random_.below(w + 1)]);
}

void Turns::restart() {
  visiting_ = 0;
  begin_turn();
}

bool Turns::visit_next_warp() {
  if (order_ == Schedule::Order::WarpAhead && warp_ >= 0 && (visiting_ = ready_[warp_])) return true;
  for (int turn = 0; turn < 2; ++turn, begin_turn())  // the rest of this one, and once through the next
    while (visited_ < warps_) {
      warp_ = warp_order_[visited_++];
      if ((visiting_ = ready_[warp_])) return true;
    }
  return false;
}

int Turns::pick_lane() {
  switch (order_) {
    case Schedule::Order::Forward:
    case Schedule::Order::WarpAhead:
      return std::countr_zero(visiting_);
    case Schedule::Order::Reverse:
      return 31 - std::countl_zero(visiting_);
    case Schedule::Order::Shuffled:
      break;
  }
  uint32_t lanes = visiting_;
  for (uint32_t skip = random_.below(std::popcount(lanes)); skip > 0; --skip) lanes &= lanes - 1;
  return std::countr_zero(lanes);
}

int Turns::next() {
  if (visiting_ == 0 && !visit_next_warp()) return -1;
  const int lane = pick_lane();
  visiting_ &= ~(1u << lane);
  ready_[warp_] &= ~(1u << lane);
  return warp_ * kWarp + lane;
}

}  // namespace emulation
