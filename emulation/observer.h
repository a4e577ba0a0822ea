// Who is told what the emulated device does: the instrument. The core and the runtime call it; there is at
// most one.
#pragma once

#include <vector_types.h>
#include <cstddef>
#include <cstdint>

#include "emulation/kernel_entry.h"

namespace emulation {

// A thread of the block that is running.
struct ThreadId {
  int linear = 0;  // in the block
  int warp = 0, lane = 0;
};

struct MissedBarrier {
  const char* operation = "";  // "__syncthreads"
  const void* position = nullptr;
  int arrived = 0, ended = 0;  // threads
  int first_ended = 0;         // in the block
};

enum class Space { Device, Pinned, Shared };

enum class TensorOperands { Fp16, Bf16, Tf32 };

class Observer {
 public:
  virtual ~Observer() = default;

  virtual void launch_begins(const LaunchRequest&) {}
  virtual void launch_ends(const LaunchRequest&) {}
  virtual void block_begins(dim3 /*block*/) {}
  virtual void block_ends(dim3 /*block*/) {}
  virtual void thread_ends(ThreadId) {}

  // All live threads of the block have arrived: everything before is ordered before everything after.
  virtual void block_barrier() {}
  // Told before it, where threads had ended and were not waited for. The first to come asked at `position` in
  // the code.
  virtual void threads_missed_barrier(const MissedBarrier&) {}
  // The lanes of `mask` were together. `orders_memory`: __syncwarp and cooperative groups' sync, but no
  // shuffle or vote.
  virtual void warp_rendezvous(int /*warp*/, uint32_t /*mask*/, bool /*orders_memory*/) {}
  // An atomic access of the running thread, at `position` in the code. `order_matters`: what it leaves would
  // be other bits, had another such access come before it instead of after (a rounded sum, an exchange of
  // floats).
  virtual void atomic(const void* /*address*/, size_t /*bytes*/, const void* /*position*/,
                      bool /*order_matters*/) {}

  // A warp multiplied tiles on tensor cores, at `position` in the code: so many products, each with its sum.
  virtual void tensor_products(TensorOperands, int64_t /*products*/, const void* /*position*/) {}

  // Memory comes and goes. Shared memory lives for one block.
  virtual void allocated(const void* /*address*/, size_t /*bytes*/, Space, int /*device*/) {}
  virtual void freed(const void* /*address*/) {}
  // The runtime wrote here (a copy, a memset) or a library's stand-in did.
  virtual void written(const void* /*address*/, size_t /*bytes*/) {}
  // The runtime or a library's stand-in reads here.
  virtual void read(const void* /*address*/, size_t /*bytes*/) {}
};

void set_observer(Observer* observer);  // nullptr: none
Observer* observer();

// The running thread, for the observer's hooks; nullptr outside a kernel.
const ThreadId* running_thread();
// Whether the address lies on the running thread's own stack.
bool on_running_stack(const void* address);

}  // namespace emulation
