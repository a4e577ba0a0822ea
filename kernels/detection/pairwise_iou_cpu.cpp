#include "kernels/common/multiversion.h"
#include "kernels/detection/iou.h"
#include "kernels/detection/pairwise_iou.h"

namespace tyto::kernels {
namespace {

TYTO_MULTIVERSION void iou_row(const float* a, const float* b, int64_t k, float* ious) {
  const Box box = {a[0], a[1], a[2], a[3]};
  for (int64_t j = 0; j < k; ++j) ious[j] = iou(box, {b[4 * j], b[4 * j + 1], b[4 * j + 2], b[4 * j + 3]});
}

}  // namespace

void pairwise_iou_cpu(const float* a, int64_t n, const float* b, int64_t k, float* ious) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; ++i) iou_row(a + 4 * i, b, k, ious + i * k);
}

}  // namespace tyto::kernels
