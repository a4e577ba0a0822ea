#include "kernels/image/cell_sums_cpu.h"

#include "kernels/common/multiversion.h"

namespace tyto::kernels {
namespace {

// kLanes channels at a time, as long as there are so many; returns where it stopped.
template <int kLanes, class T>
[[gnu::always_inline]] inline int64_t sum_lanes(const T* map, const CellSum<T>& cells, int64_t first,
                                                int64_t channels, T* to) {
  for (; first + kLanes <= channels; first += kLanes) {
    Computed<T> sum[kLanes] = {};
    for (int t = 0; t < cells.count; ++t) {
      const T* from = host_address(map, cells.offset[t] + first);
      const Computed<T> weight = cells.weight[t];
      for (int l = 0; l < kLanes; ++l) sum[l] += weight * host_element(from, l);
    }
    for (int l = 0; l < kLanes; ++l) set_host_element(to, first + l, sum[l] * cells.share);
  }
  return first;
}

template <class T>
[[gnu::always_inline]] inline void sum_pixels(const T* map, const CellSum<T>* pixels, int64_t count,
                                              int64_t channels, T* to) {
  for (int64_t p = 0; p < count; ++p, to = host_address(to, channels)) {
    int64_t first = sum_lanes<32>(map, pixels[p], 0, channels, to);
    first = sum_lanes<16>(map, pixels[p], first, channels, to);
    first = sum_lanes<8>(map, pixels[p], first, channels, to);
    sum_lanes<1>(map, pixels[p], first, channels, to);
  }
}

}  // namespace

#define TYTO_OF(T)                                                                                          \
  TYTO_MULTIVERSION void sum_cells(const T* map, const CellSum<T>* pixels, int64_t count, int64_t channels, \
                                   T* to) {                                                                 \
    sum_pixels(map, pixels, count, channels, to);                                                           \
  }
TYTO_OF(double)
TYTO_OF(float)
TYTO_OF(Half)
TYTO_OF(BFloat16)
#undef TYTO_OF

}  // namespace tyto::kernels
