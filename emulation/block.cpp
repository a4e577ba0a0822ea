#include "emulation/block.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <map>
#include <utility>

namespace emulation {
namespace {

std::string text(const uint3& v) {
  return "(" + std::to_string(v.x) + ", " + std::to_string(v.y) + ", " + std::to_string(v.z) + ")";
}

std::string hexadecimal(uint32_t mask) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "0x%08x", mask);
  return digits;
}

std::string lanes_in(uint32_t mask) {
  std::string list;
  for (; mask != 0; mask &= mask - 1)
    list += (list.empty() ? "" : ", ") + std::to_string(std::countr_zero(mask));
  return list;
}

}  // namespace

thread_local Block* Block::running_ = nullptr;

Block* Block::running_if_any() { return running_; }
Block& Block::running() { return *running_; }

// Stacks are kept from launch to launch. A fibre stays with the host thread that made it.
FibrePool& Block::pool() {
  static thread_local FibrePool fibres([](Fibre& self) {
    for (;;) self.switch_to(running().run_threads());
  });
  return fibres;
}

Block::Block(const LaunchRequest& request, const Schedule& schedule)
    : request_(request),
      turns_(schedule,
             static_cast<int>((request.block.x * request.block.y * request.block.z + kWarp - 1) / kWarp)),
      shared_(request.shared_bytes) {
  const dim3 size = request.block;
  threads_.resize(size_t{size.x} * size.y * size.z);
  warps_.resize((threads_.size() + kWarp - 1) / kWarp);
  uint3 index{};
  for (Thread& thread : threads_) {
    const int linear = static_cast<int>(&thread - threads_.data());
    thread.id = {linear, linear / kWarp, linear % kWarp};
    thread.index = index;
    if (++index.x == size.x) index.x = 0, ++index.y;
    if (index.y == size.y) index.y = 0, ++index.z;
  }
  running_ = this;
}

Block::~Block() { running_ = nullptr; }

void Block::run(dim3 index) {
  index_ = index;
  live_ = static_cast<int>(threads_.size());
  at_barrier_ = 0;
  for (size_t w = 0; w < warps_.size(); ++w) {
    const int lanes = std::min(kWarp, live_ - static_cast<int>(w) * kWarp);
    const uint32_t present = lanes == kWarp ? ~0u : (1u << lanes) - 1;
    warps_[w].ended = ~present;
    turns_.ready(static_cast<int>(w), present);
  }
  turns_.restart();
  if (observer()) observer()->block_begins(index);
  host_.switch_to(fibre_of_next(nullptr));
  current_ = nullptr;
  if (thrown_ || live_ > 0) {
    const std::string waiting = who_waits_where();
    abandon();
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    fault("nothing can run any more: " + waiting, Where());
  }
  const std::string overrun = shared_.end_block();
  if (!overrun.empty()) fault(overrun, Where());
  if (observer()) observer()->block_ends(index);
}

// What the threads' stacks hold is forgotten: device code owns nothing.
void Block::abandon() {
  for (Thread& thread : threads_)
    if (thread.fibre) {
      thread.fibre->reset();
      pool().give_back(*std::exchange(thread.fibre, nullptr));
    }
  shared_.end_block();
}

// On a fibre: the current thread, and on the same stack those after it that have not started, until one that
// waits elsewhere is next. Threads that never wait so cost no switch. Returns whom to switch to; this fibre
// is free.
Fibre& Block::run_threads() {
  Fibre& here = *fibre_;
  try {
    for (;;) {
      request_.body();
      end_thread();
      Fibre& next = fibre_of_next(&here);
      if (&next == &here) continue;
      pool().give_back(here);
      return next;
    }
  } catch (...) {
    thrown_ = std::current_exception();
  }
  current_->fibre = nullptr;
  pool().give_back(here);
  return *(fibre_ = &host_);
}

// Chooses the next thread and makes it the current one; an unstarted one gets `free`, or a fibre from the
// pool. The host's where none can run.
Fibre& Block::fibre_of_next(Fibre* free) {
  const int next = turns_.next();
  if (next < 0) return *(fibre_ = &host_);
  current_ = &threads_[next];
  if (!current_->fibre) current_->fibre = free ? free : &pool().take();
  return *(fibre_ = current_->fibre);
}

void Block::end_thread() {
  if (observer()) observer()->thread_ends(current_->id);
  const int w = current_->id.warp;
  const uint32_t lane = 1u << current_->id.lane;
  Warp& warp = warps_[w];
  warp.ended |= lane;
  for (size_t i = 0; i < warp.meetings.size();) {
    const OpenMeeting& open = warp.meetings[i];
    if ((open.meeting.mask & lane) && !open.meeting.exited_may_miss)
      fault("ends, but lanes " + lanes_in(open.arrived) + " of its warp wait for it in " +
                open.meeting.operation + " with mask " + hexadecimal(open.meeting.mask),
            open.meeting.where);
    if (!close_if_complete(w, i)) ++i;
  }
  current_->fibre = nullptr;
  current_->pending.copies.clear();
  current_->pending.group = 0;
  if (--live_ > 0 && at_barrier_ == live_) release_barrier();
  if (warp.gathering && !turns_.any_ready(w)) release_gathered(w);
}

void Block::stop(Waits waits, const char* operation, Where where) {
  current_->waits = waits;
  current_->operation = operation;
  current_->where = where;
}

// The current thread, which has stopped, lets others run until someone has made it ready and its turn comes.
[[gnu::always_inline]] inline void Block::yield() {
  Thread& self = *current_;
  const int w = self.id.warp;
  if (warps_[w].gathering && !turns_.any_ready(w)) release_gathered(w);
  Fibre& here = *fibre_;
  here.switch_to(fibre_of_next(nullptr));
  self.waits = Waits::Nothing;
}

BarrierVotes Block::barrier(const char* operation, bool vote, Where where, const void* position) {
  stop(Waits::Barrier, operation, where);
  if (at_barrier_ == 0) {
    barrier_ = where;
    barrier_operation_ = operation;
    barrier_position_ = position;
    divergent_ = false;
    in_favour_ = 0;
  }
  divergent_ |= !same(where, barrier_);
  in_favour_ += vote;
  if (++at_barrier_ == live_) release_barrier();
  yield();
  return votes_;
}

void Block::release_barrier() {
  if (divergent_) fault("divergent barrier: " + who_waits_where(), barrier_);
  if (observer() && live_ < static_cast<int>(threads_.size())) tell_of_missed_barrier();
  if (observer()) observer()->block_barrier();
  votes_ = {at_barrier_, in_favour_};
  at_barrier_ = 0;
  for (size_t w = 0; w < warps_.size(); ++w) turns_.ready(static_cast<int>(w), ~warps_[w].ended);
  turns_.restart();
}

void Block::tell_of_missed_barrier() const {
  const auto ended = std::ranges::find_if(
      threads_, [&](const Thread& t) { return (warps_[t.id.warp].ended >> t.id.lane & 1) != 0; });
  observer()->threads_missed_barrier({barrier_operation_, barrier_position_, at_barrier_,
                                      static_cast<int>(threads_.size()) - at_barrier_, ended->id.linear});
}

void Block::meet(const Meeting& meeting, void* parcel) {
  const ThreadId self = current_->id;
  Warp& warp = warps_[self.warp];
  const auto operation = [&] { return std::string(meeting.operation); };
  if (!(meeting.mask >> self.lane & 1))
    fault(operation() + " by lane " + std::to_string(self.lane) + ", which its own mask " +
              hexadecimal(meeting.mask) + " does not name",
          meeting.where);
  if ((meeting.mask & warp.ended) && !meeting.exited_may_miss)
    fault(operation() + " with mask " + hexadecimal(meeting.mask) + " names lanes that have ended or " +
              "never were: " + lanes_in(meeting.mask & warp.ended),
          meeting.where);
  auto open = std::find_if(warp.meetings.begin(), warp.meetings.end(), [&](const OpenMeeting& o) {
    return o.meeting.mask == meeting.mask && o.meeting.exchange == meeting.exchange &&
           same(o.meeting.where, meeting.where);
  });
  if (open == warp.meetings.end()) {
    warp.meetings.emplace_back().meeting = meeting;
    open = warp.meetings.end() - 1;
  }
  open->arrived |= 1u << self.lane;
  open->parcels[self.lane] = parcel;
  stop(Waits::Meeting, meeting.operation, meeting.where);
  close_if_complete(self.warp, static_cast<size_t>(open - warp.meetings.begin()));
  yield();
}

bool Block::close_if_complete(int w, size_t index) {
  Warp& warp = warps_[w];
  const OpenMeeting& open = warp.meetings[index];
  if (open.meeting.mask & ~open.arrived & ~warp.ended) return false;
  if (open.meeting.exchange) open.meeting.exchange(open.parcels, open.arrived);
  if (observer()) observer()->warp_rendezvous(w, open.arrived, open.meeting.orders_memory);
  turns_.ready(w, open.arrived);
  warp.meetings.erase(warp.meetings.begin() + static_cast<std::ptrdiff_t>(index));
  return true;
}

uint32_t Block::gather(const char* operation, Where where) {
  Thread& self = *current_;
  warps_[self.id.warp].gathering |= 1u << self.id.lane;
  stop(Waits::Gathering, operation, where);
  yield();
  return self.gathered;
}

void Block::release_gathered(int w) {
  uint32_t left = std::exchange(warps_[w].gathering, 0);
  turns_.ready(w, left);
  const auto thread = [&](uint32_t lanes) -> Thread& {
    return threads_[w * kWarp + std::countr_zero(lanes)];
  };
  while (left != 0) {
    uint32_t together = 0;
    for (uint32_t lanes = left; lanes != 0; lanes &= lanes - 1)
      if (same(thread(lanes).where, thread(left).where)) together |= lanes & -lanes;
    left &= ~together;
    for (uint32_t lanes = together; lanes != 0; lanes &= lanes - 1) thread(lanes).gathered = together;
  }
}

std::string Block::who_waits_where() const {
  std::map<std::string, std::vector<const Thread*>> places;
  for (const Thread& thread : threads_)
    if (thread.waits != Waits::Nothing)
      places[std::string(thread.operation) + " at " + text(thread.where)].push_back(&thread);
  std::string list;
  for (const auto& [place, threads] : places)
    list += (list.empty() ? "" : "; ") + std::to_string(threads.size()) +
            (threads.size() == 1 ? " thread waits in " : " threads wait in ") + place +
            ", the first of them thread " + text(threads[0]->index);
  return list;
}

void Block::fault(const std::string& what, Where where) const {
  std::string message = "kernel " + request_.kernel->name + ", block " + text({index_.x, index_.y, index_.z});
  if (current_) message += ", thread " + text(current_->index);
  if (where.line() != 0) message += ", " + text(where);
  throw Fault{message + ": " + what};
}

}  // namespace emulation
