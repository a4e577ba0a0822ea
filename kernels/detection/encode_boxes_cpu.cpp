#include "kernels/common/multiversion.h"
#include "kernels/detection/encode_boxes_math.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kRows = 1024;  // one thread's at a time

TYTO_MULTIVERSION void encode_rows(const float* references, const float* targets, int64_t n,
                                   const EncodeBoxes& p, float* offsets) {
  const EncodeBoxes params = p;
  for (int64_t i = 0; i < 4 * n; i += 4) {
    const float *r = references + i, *t = targets + i;
    const Offsets out =
        in_order(encode({r[0], r[1], r[2], r[3]}, {t[0], t[1], t[2], t[3]}, params), params.coding);
    offsets[i] = out.x;
    offsets[i + 1] = out.y;
    offsets[i + 2] = out.log_width;
    offsets[i + 3] = out.log_height;
  }
}

}  // namespace

void encode_boxes_cpu(const float* references, const float* targets, int64_t n, const EncodeBoxes& params,
                      float* offsets) {
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < n; first += kRows)
    encode_rows(references + 4 * first, targets + 4 * first, std::min(kRows, n - first), params,
                offsets + 4 * first);
}

}  // namespace tyto::kernels
