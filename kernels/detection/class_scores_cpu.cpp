#include "kernels/detection/class_scores.h"

#include <algorithm>
#include <cmath>

namespace tyto::kernels {
namespace {

constexpr int64_t kRows = 16;  // whose scores one thread writes side by side: a cache line of each class

void softmax_row(const float* z, int64_t classes, float* out, int64_t stride) {
  const float largest = *std::max_element(z, z + classes);
  float sum = 0;
  for (int64_t c = 0; c < classes; ++c) {
    const float e = std::exp(z[c] - largest);
    sum += e;
    if (c > 0) out[(c - 1) * stride] = e;
  }
  for (int64_t c = 1; c < classes; ++c) out[(c - 1) * stride] /= sum;
}

void sigmoid_row(const float* z, int64_t classes, float* out, int64_t stride) {
  for (int64_t c = 1; c < classes; ++c) out[(c - 1) * stride] = 1.0f / (1.0f + std::exp(-z[c]));
}

}  // namespace

void class_scores_cpu(const float* logits, int64_t n, int64_t count, int64_t classes,
                      const ClassScores& params, float* scores) {
  const auto row = params.function == ScoreFunction::Softmax ? softmax_row : sigmoid_row;
  const int64_t groups = (count + kRows - 1) / kRows;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t image = 0; image < n; ++image)
    for (int64_t group = 0; group < groups; ++group)
      for (int64_t i = group * kRows; i < std::min(count, (group + 1) * kRows); ++i)
        row(logits + (image * count + i) * classes, classes, scores + image * (classes - 1) * count + i,
            count);
}

}  // namespace tyto::kernels
