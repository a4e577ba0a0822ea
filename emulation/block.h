// The block that is running: its threads on their fibres, and who waits where for whom.
#pragma once

#include <vector_types.h>

#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "emulation/async_copy.h"
#include "emulation/barrier.h"
#include "emulation/fibre.h"
#include "emulation/kernel_entry.h"
#include "emulation/observer.h"
#include "emulation/shared_arena.h"
#include "emulation/turns.h"
#include "emulation/where.h"

namespace emulation {

// What lanes do when they have met: `parcels` holds one pointer a lane, of those in `lanes`. Runs once, on
// one of them.
using Exchange = void (*)(void* const* parcels, uint32_t lanes);

// A place where lanes of a warp meet. The same place: the same mask, exchange, and file, line and column.
struct Meeting {
  const char* operation = "";  // "__shfl_xor_sync"
  Exchange exchange = nullptr;
  uint32_t mask = 0;             // the lanes that must come
  bool orders_memory = false;    // what a lane wrote before, the others see after
  bool exited_may_miss = false;  // lanes of the mask that have ended are not waited for
  Where where;
};

// A thread's, in the order of asking.
struct PendingCopies {
  std::vector<PendingCopy> copies;
  int group = 0;  // that is being filled
};

class Block {
 public:
  Block(const LaunchRequest& request, const Schedule& schedule);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  void run(dim3 index);  // throws Fault

  static Block& running();         // whose code asks
  static Block* running_if_any();  // nullptr outside a kernel

  const LaunchRequest& request() const { return request_; }
  dim3 index() const { return index_; }
  uint3 thread_index() const { return current_->index; }
  const ThreadId* thread() const { return current_ ? &current_->id : nullptr; }
  const Fibre& fibre() const { return *fibre_; }
  SharedArena& shared() { return shared_; }
  PendingCopies& pending_copies() { return current_->pending; }

  // Until all live threads are here.
  BarrierVotes barrier(const char* operation, bool vote, Where where, const void* position);
  // Until all lanes of the mask are here; the last to come lets them exchange their parcels.
  void meet(const Meeting& meeting, void* parcel);
  // The lanes of this warp that stand here when none of its lanes can run on.
  uint32_t gather(const char* operation, Where where);

  // Ends the launch with "kernel K, block (..), thread (..): softmax.cu:41: <what>".
  [[noreturn]] void fault(const std::string& what, Where where) const;

 private:
  enum class Waits { Nothing, Barrier, Meeting, Gathering };
  struct Thread {
    ThreadId id;
    uint3 index{};
    Fibre* fibre = nullptr;  // from its start to its end
    Waits waits = Waits::Nothing;
    const char* operation = "";  // that it waits in
    Where where;
    uint32_t gathered = 0;
    PendingCopies pending;
  };
  struct OpenMeeting {
    Meeting meeting;
    uint32_t arrived = 0;
    void* parcels[kWarp];  // of those that have arrived
  };
  struct Warp {
    uint32_t ended = 0;  // lanes that have, or never were
    uint32_t gathering = 0;
    std::vector<OpenMeeting> meetings;
  };

  static FibrePool& pool();
  Fibre& run_threads();
  Fibre& fibre_of_next(Fibre* free);
  void end_thread();
  void stop(Waits waits, const char* operation, Where where);
  void yield();
  void release_barrier();
  void tell_of_missed_barrier() const;
  bool close_if_complete(int warp, size_t meeting);
  void release_gathered(int warp);
  void abandon();
  std::string who_waits_where() const;

  static thread_local Block* running_;

  const LaunchRequest& request_;
  Turns turns_;
  SharedArena shared_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  dim3 index_;
  Fibre host_;                 // the stack of whoever launched
  Fibre* fibre_ = &host_;      // that runs
  Thread* current_ = nullptr;  // that runs
  int live_ = 0;
  int at_barrier_ = 0, in_favour_ = 0;
  bool divergent_ = false;  // they wait at different barriers
  BarrierVotes votes_;      // of the last barrier that was released
  Where barrier_;           // where the first to come waits
  const char* barrier_operation_ = "";
  const void* barrier_position_ = nullptr;
  std::exception_ptr thrown_;
};

}  // namespace emulation
