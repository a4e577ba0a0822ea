#include "kernels/attention/masked_softmax.h"

#include <algorithm>
#include <limits>

#include "kernels/common/exponential.h"
#include "kernels/common/multiversion.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kLanes = 16;  // keys side by side: a cache line, and the order of every sum
constexpr float kNoKey = -std::numeric_limits<float>::infinity();

[[gnu::always_inline]] inline float larger(float a, float b) { return a > b || a != a ? a : b; }

// Calls body(first key, keys): whole lines first, so that their loops have a fixed length.
template <class Body>
[[gnu::always_inline]] inline void for_each_line(int64_t keys, const Body& body) {
  int64_t k = 0;
  for (; k + kLanes <= keys; k += kLanes) body(k, kLanes);
  if (k < keys) body(k, keys - k);
}

// Of `rows` queries of one head, by the calling thread alone. mask_stride: from query to query, or 0.
TYTO_MULTIVERSION void softmax_rows(const float* scores, int64_t rows, int64_t keys, const float* bias,
                                    const int32_t* mask, int64_t mask_stride, float* probabilities) {
  for (int64_t r = 0; r < rows; ++r, scores += keys, probabilities += keys, mask += mask ? mask_stride : 0) {
    float largest[kLanes], sum[kLanes] = {};
    std::fill_n(largest, kLanes, kNoKey);
    for_each_line(keys, [&](int64_t k, int64_t lanes) {
      float v[kLanes];
      for (int64_t l = 0; l < lanes; ++l) v[l] = scores[k + l];
      if (bias)
        for (int64_t l = 0; l < lanes; ++l) v[l] += bias[r * keys + k + l];
      if (mask)
        for (int64_t l = 0; l < lanes; ++l) v[l] = mask[k + l] != 0 ? v[l] : kNoKey;
      for (int64_t l = 0; l < lanes; ++l) largest[l] = larger(largest[l], v[l]);
      for (int64_t l = 0; l < lanes; ++l) probabilities[k + l] = v[l];
    });
    for (int64_t l = 1; l < kLanes; ++l) largest[0] = larger(largest[0], largest[l]);
    if (largest[0] == kNoKey) {
      std::fill_n(probabilities, keys, 0.0f);
      continue;
    }
    for_each_line(keys, [&](int64_t k, int64_t lanes) {
      for (int64_t l = 0; l < lanes; ++l)
        probabilities[k + l] = exponential(probabilities[k + l] - largest[0]);
      for (int64_t l = 0; l < lanes; ++l) sum[l] += probabilities[k + l];
    });
    for (int64_t l = 1; l < kLanes; ++l) sum[0] += sum[l];
    const float by = 1 / sum[0];
    for (int64_t k = 0; k < keys; ++k) probabilities[k] *= by;
  }
}

}  // namespace

void masked_softmax_cpu(const float* scores, const AttentionShape& shape, const AttentionBias<float>& bias,
                        const AttentionMask& mask, float* probabilities) {
  constexpr int64_t kRows = 16;  // that one thread works on together: an image of one head has enough for all
  const int64_t blocks = (shape.queries + kRows - 1) / kRows;
#pragma omp parallel for collapse(3) schedule(static)
  for (int64_t b = 0; b < shape.batch; ++b)
    for (int64_t head = 0; head < shape.heads; ++head)
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t first = block * kRows, rows = std::min(kRows, shape.queries - first);
        const int64_t at = ((b * shape.heads + head) * shape.queries + first) * shape.keys;
        const float* added = bias.of(b, head, shape);
        const int32_t* kept = mask.of(b, shape);
        softmax_rows(scores + at, rows, shape.keys, added ? added + first * shape.keys : nullptr,
                     kept ? kept + first * mask.stride(shape) : nullptr, mask.stride(shape),
                     probabilities + at);
      }
}

}  // namespace tyto::kernels
