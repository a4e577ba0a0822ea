// Memory that a caller lends, cut into pieces. One function cuts it both to be used and, beginning at no
// address, to be measured.
#pragma once

#include <cstdint>

namespace tyto::kernels {

class Workspace {
 public:
  // At any address; pieces begin at multiples of kAlignment.
  explicit Workspace(void* memory = nullptr)
      : memory_((reinterpret_cast<uintptr_t>(memory) + kAlignment - 1) / kAlignment * kAlignment) {}

  template <class C>
  C* take(int64_t count) {
    const uintptr_t begin = memory_ + taken_;
    taken_ += (static_cast<uintptr_t>(count) * sizeof(C) + kAlignment - 1) / kAlignment * kAlignment;
    return reinterpret_cast<C*>(begin);
  }
  // What holds all that was taken, wherever it begins.
  int64_t bytes() const { return static_cast<int64_t>(taken_ + kAlignment); }

 private:
  static constexpr uintptr_t kAlignment = 256;

  uintptr_t memory_, taken_ = 0;
};

}  // namespace tyto::kernels
