#include "kernels/losses/region_overlaps_cpu.h"

#include "kernels/common/multiversion.h"
#include "kernels/losses/region_targets_math.h"

namespace tyto::kernels {
namespace {

template <class C>
[[gnu::always_inline]] inline void overlaps_of(const BoxOf<C>& object, const C* boxes, int64_t stride,
                                               int64_t n, C* overlaps) {
  if (stride == 4)
    for (int64_t i = 0; i < n; ++i) overlaps[i] = overlap_with(box_at(boxes + 4 * i), object);
  else
    for (int64_t i = 0; i < n; ++i) overlaps[i] = overlap_with(box_at(boxes + stride * i), object);
}

template <class C>
[[gnu::always_inline]] inline void best_of(const C* overlaps, int32_t object, int64_t n, C* best,
                                           int32_t* objects) {
  for (int64_t i = 0; i < n; ++i) {
    const bool more = overlaps[i] > best[i];
    best[i] = more ? overlaps[i] : best[i];
    objects[i] = more ? object : objects[i];
  }
}

#define TYTO_OF(C)                                                                                           \
  TYTO_MULTIVERSION void overlap_row(const BoxOf<C>& object, const C* boxes, int64_t stride, int64_t n,      \
                                     C* overlaps) {                                                          \
    overlaps_of(object, boxes, stride, n, overlaps);                                                         \
  }                                                                                                          \
  TYTO_MULTIVERSION void best_row(const C* overlaps, int32_t object, int64_t n, C* best, int32_t* objects) { \
    best_of(overlaps, object, n, best, objects);                                                             \
  }
TYTO_OF(double)
TYTO_OF(float)
#undef TYTO_OF

}  // namespace

template <class C>
void overlaps_cpu(const BoxOf<C>& object, const C* boxes, int64_t stride, int64_t n, C* overlaps) {
  overlap_row(object, boxes, stride, n, overlaps);
}

template <class C>
void keep_best_cpu(const C* overlaps, int32_t object, int64_t n, C* best, int32_t* objects) {
  best_row(overlaps, object, n, best, objects);
}

#define TYTO_INSTANTIATE(C)                                                    \
  template void overlaps_cpu(const BoxOf<C>&, const C*, int64_t, int64_t, C*); \
  template void keep_best_cpu(const C*, int32_t, int64_t, C*, int32_t*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
