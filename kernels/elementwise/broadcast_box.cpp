#include <algorithm>
#include <stdexcept>
#include <string>

#include "kernels/elementwise/broadcast.h"

namespace tyto::kernels {

StridedBox<3> broadcast_box(std::span<const int64_t> a, std::span<const int64_t> b) {
  const size_t rank = std::max(a.size(), b.size());
  if (rank > kMaxRank)
    throw std::invalid_argument("broadcasting " + std::to_string(rank) + " dimensions, more than " +
                                std::to_string(kMaxRank));
  StridedBox<3> box;
  box.rank = static_cast<int>(rank);
  int64_t a_step = 1, b_step = 1, y_step = 1;
  for (size_t inner = 0; inner < rank; ++inner) {
    const size_t d = rank - 1 - inner;
    const int64_t of_a = inner < a.size() ? a[a.size() - 1 - inner] : 1;
    const int64_t of_b = inner < b.size() ? b[b.size() - 1 - inner] : 1;
    if (of_a != of_b && of_a != 1 && of_b != 1)
      throw std::invalid_argument("sizes " + std::to_string(of_a) + " and " + std::to_string(of_b) +
                                  " do not broadcast");
    box.sizes[d] = of_a == 1 ? of_b : of_a;
    box.strides[0][d] = of_a == 1 ? 0 : a_step;
    box.strides[1][d] = of_b == 1 ? 0 : b_step;
    box.strides[2][d] = y_step;
    a_step *= of_a;
    b_step *= of_b;
    y_step *= box.sizes[d];
  }
  return box;
}

}  // namespace tyto::kernels
