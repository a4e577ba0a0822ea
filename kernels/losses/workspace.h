// Memory that a caller lends, cut into pieces. One function cuts it both to be used and, beginning at no
// address, to be measured.
#pragma once

#include <cstdint>

namespace tyto::kernels {

class Workspace {
 public:
  static constexpr int64_t kAlignment = 256;  // of every piece; the memory's own must be as much

  explicit Workspace(void* memory = nullptr) : memory_(static_cast<unsigned char*>(memory)) {}

  template <class C>
  C* take(int64_t count) {
    const int64_t begin = bytes_;
    bytes_ += (count * static_cast<int64_t>(sizeof(C)) + kAlignment - 1) / kAlignment * kAlignment;
    return memory_ == nullptr ? nullptr : reinterpret_cast<C*>(memory_ + begin);
  }
  int64_t bytes() const { return bytes_; }  // taken so far

 private:
  unsigned char* memory_;
  int64_t bytes_ = 0;
};

}  // namespace tyto::kernels
