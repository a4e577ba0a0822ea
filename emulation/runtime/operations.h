// Work that was given to the devices and has not run yet.
//
// Every operation knows which others must have run before it: its stream's last, those of the events that the
// stream waits for, those that the default stream's rules name. Nothing runs until the host waits, and what
// then runs, in an order that the program did not ask for wherever it left one open, is the schedule's choice
// (and a fault, where what has no order touches the same memory; accesses.h):
//   forward              only what is waited for and what that needs; unrelated work in the reverse order of
//   its issue reverse              everything that was given, wherever it was given: the last issued first
//   shuffled, warp-ahead one or the other, in random order, by the seed
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "emulation/library_call.h"
#include "emulation/runtime/order.h"

namespace emulation::runtime {

struct Work {
  std::string name;                  // "kernel softmax_kernel<float>", "cudaMemcpyAsync of 64 bytes"
  std::vector<Range> reads, writes;  // where known; each within a live buffer, or running it is a fault
  std::function<void()> run;         // Fault; empty: nothing but a place in the order
  // Touches nothing of the device's memory but what it reads and writes; of other work the pages that it
  // touches are found out.
  bool bounded = false;
  bool takes_what_is_there =
      false;  // may read what nothing has written: a copy to the host, which may look at anything
};

OperationId give(int device, std::shared_ptr<const Work> work, const std::vector<OperationId>& after);
bool pending(OperationId id);

void wait_for(OperationId id);
void wait_for_device(int device);
// One operation of those that `id` needs, or itself.
void advance_towards(OperationId id);

// The work of a device that is in error.
void forget_work(int device);

// Pending work that is known to write in the range, or null.
const Moment* pending_writer_of(const Range& range);
// An operation that reads or writes in the range and that the host has not waited for, or null.
const Moment* user_of(const Range& range);
// The work that runs now, or null.
const Work* running_work();

}  // namespace emulation::runtime
