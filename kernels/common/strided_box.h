// A box of up to six dimensions and where several arrays keep its elements: how kernels that broadcast,
// permute, slice and concatenate are told what to do. Host code without CUDA.
#pragma once

#include <array>
#include <cstdint>

namespace tyto::kernels {

inline constexpr int kMaxRank = 6;

// Array a's element at position p stands at the sum over d of p[d] * strides[a][d]; a stride of 0 repeats it.
template <int Arrays>
struct StridedBox {
  int rank = 0;
  std::array<int64_t, kMaxRank> sizes{};                        // outermost first
  std::array<std::array<int64_t, kMaxRank>, Arrays> strides{};  // elements, >= 0

  int64_t elements() const {
    int64_t count = 1;
    for (int d = 0; d < rank; ++d) count *= sizes[d];
    return count;
  }
  // One past the last element that the box has in an array.
  int64_t extent(int array) const {
    if (elements() == 0) return 0;
    int64_t last = 0;
    for (int d = 0; d < rank; ++d) last += (sizes[d] - 1) * strides[array][d];
    return last + 1;
  }
};

// The same elements in the same order with the fewest dimensions: none of size 1, and neighbours are one
// where every array steps through both evenly.
template <int Arrays>
StridedBox<Arrays> merged(const StridedBox<Arrays>& box) {
  StridedBox<Arrays> out;
  for (int d = 0; d < box.rank; ++d) {
    if (box.sizes[d] == 1) continue;
    bool even = out.rank > 0;
    for (int a = 0; a < Arrays && even; ++a)
      even = out.strides[a][out.rank - 1] == box.strides[a][d] * box.sizes[d];
    if (!even) out.sizes[out.rank++] = 1;
    out.sizes[out.rank - 1] *= box.sizes[d];
    for (int a = 0; a < Arrays; ++a) out.strides[a][out.rank - 1] = box.strides[a][d];
  }
  return out;
}

}  // namespace tyto::kernels
