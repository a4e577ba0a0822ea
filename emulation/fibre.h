// A stack that code can leave in the middle and come back to. Boost.Context does the switch (6 ns; ucontext's
// two signal-mask system calls would make it 250), AddressSanitizer is told of it.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <memory>
#include <vector>

#include "emulation/sanitizer.h"

namespace emulation {

class Fibre {
 public:
  // The code that runs already: the one fibre without a stack of its own.
  Fibre() = default;
  // `entry` starts at the first switch, with this fibre, and does not return.
  explicit Fibre(void (*entry)(Fibre& self));
  ~Fibre();
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;

  // From `*this`, which is running, to `next`; returns when someone switches back.
  void switch_to(Fibre& next);
  // Forgets what the stack holds, destructors included; the next switch enters anew. Not while it runs.
  void reset();

  bool holds(const void* address) const;  // on its stack

 private:
  struct Switch {
    Fibre &from, &to;
  };
  static void enter(boost::context::detail::transfer_t transfer);

  void (*entry_)(Fibre&) = nullptr;
  void* context_ = nullptr;
  std::byte* mapping_ = nullptr;  // a guard page, then the stack
  const void* bottom_ = nullptr;  // of the stack: its lowest address
  size_t size_ = 0;
  void* fake_stack_ = nullptr;  // AddressSanitizer's, while another fibre runs
};

// Inline, because every return after a switch is one that the processor predicts wrongly.
inline void Fibre::switch_to(Fibre& next) {
  if (&next == this) return;
  Switch now{*this, next};
  leave_stack(&fake_stack_, next.bottom_, next.size_);
  const auto back = boost::context::detail::jump_fcontext(next.context_, &now);
  Fibre& from = static_cast<Switch*>(back.data)->from;
  from.context_ = back.fctx;
  enter_stack(fake_stack_, &from.bottom_, &from.size_);
}

// Fibres for one host thread's launches. Stacks are mapped once and used again by every block.
class FibrePool {
 public:
  explicit FibrePool(void (*entry)(Fibre& self)) : entry_(entry) {}

  Fibre& take();
  void give_back(Fibre& fibre) { idle_.push_back(&fibre); }

 private:
  void (*entry_)(Fibre&);
  std::vector<std::unique_ptr<Fibre>> fibres_;
  std::vector<Fibre*> idle_;
};

}  // namespace emulation
