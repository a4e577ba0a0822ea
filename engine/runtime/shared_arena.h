// The memory that the plans of a device run in, one after the other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>

namespace tyto {

// As large as the largest living plan needs, so that a plan more costs only what it adds. It moves where a
// plan is made: a plan looks where it is before each run. Memory owns bytes(), none by default, and throws
// where there is no such memory.
template <class Memory>
class SharedArena {
 public:
  // A plan's claim to so many bytes, for as long as the plan lives.
  class Share {
   public:
    // Nothing that runs may use the arena: it may move. Throws what Memory throws; then all is as before.
    Share(std::shared_ptr<SharedArena> arena, int64_t bytes) : arena_(std::move(arena)), bytes_(bytes) {
      arena_->claims_.insert(bytes_);
      try {
        arena_->fit();
      } catch (...) {
        arena_->claims_.erase(arena_->claims_.find(bytes_));
        arena_->fit();
        throw;
      }
    }
    ~Share() {
      arena_->claims_.erase(arena_->claims_.find(bytes_));
      if (arena_->claims_.empty()) arena_->memory_ = Memory();
    }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    auto* data() const { return arena_->memory_.data(); }

   private:
    std::shared_ptr<SharedArena> arena_;
    int64_t bytes_;
  };

  int64_t bytes() const { return memory_.bytes(); }
  // Once there is a plan more that needs so many.
  int64_t bytes_with(int64_t more) const {
    return claims_.empty() ? more : std::max(more, *claims_.rbegin());
  }

 private:
  void fit() {
    const int64_t wanted = bytes_with(0);
    if (wanted == memory_.bytes()) return;
    memory_ = Memory();  // both at once may be more than there is
    memory_ = Memory(wanted);
  }

  Memory memory_;
  std::multiset<int64_t> claims_;
};

}  // namespace tyto
