#include "kernels/common/exponential.h"
#include "kernels/common/multiversion.h"
#include "kernels/detection/decode_boxes_math.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kGroup = 16;  // boxes whose exponentials are taken side by side

TYTO_MULTIVERSION void exponentials(float* values) {
  for (int64_t i = 0; i < 2 * kGroup; ++i) values[i] = exponential(values[i]);
}

}  // namespace

void decode_boxes_cpu(const float* offsets, const float* anchors, int64_t n, int64_t count,
                      const DecodeBoxes& params, float* boxes) {
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < n * count; first += kGroup) {
    const int64_t end = std::min(first + kGroup, n * count);
    float sizes[2 * kGroup] = {};
    for (int64_t i = first; i < end; ++i) log_sizes(offsets + 4 * i, params, sizes + 2 * (i - first));
    exponentials(sizes);
    for (int64_t i = first; i < end; ++i)
      place_box(offsets + 4 * i, anchors + 4 * (i % count), sizes + 2 * (i - first), params, boxes + 4 * i);
  }
}

}  // namespace tyto::kernels
