#include "kernels/detection/class_scores.h"

#include <algorithm>

#include "kernels/common/exponential.h"
#include "kernels/common/multiversion.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kLanes = 16;  // rows that are worked on side by side: a cache line of each class

// Up to kLanes rows of logits; class c's scores go to out + (c - 1) * stride. Lanes beyond `rows` repeat the
// last row and are not written.
struct Rows {
  const float* row[kLanes];
  int64_t rows, classes;
  float* out;
  int64_t stride;

  [[gnu::always_inline]] void load(int64_t c, float* lanes) const {
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = row[l][c];
  }
  [[gnu::always_inline]] void store(int64_t c, const float* lanes) const {
    std::copy_n(lanes, rows, out + (c - 1) * stride);
  }
};

TYTO_MULTIVERSION void softmax(const Rows& r) {
  float largest[kLanes], sum[kLanes] = {}, lanes[kLanes];
  r.load(0, largest);
  for (int64_t c = 1; c < r.classes; ++c) {
    r.load(c, lanes);
    for (int64_t l = 0; l < kLanes; ++l) largest[l] = lanes[l] > largest[l] ? lanes[l] : largest[l];
  }
  for (int64_t c = 0; c < r.classes; ++c) {
    r.load(c, lanes);
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = exponential(lanes[l] - largest[l]);
    for (int64_t l = 0; l < kLanes; ++l) sum[l] += lanes[l];
    if (c > 0) r.store(c, lanes);
  }
  for (int64_t c = 1; c < r.classes; ++c) {
    float* scores = r.out + (c - 1) * r.stride;
    for (int64_t l = 0; l < r.rows; ++l) scores[l] /= sum[l];
  }
}

TYTO_MULTIVERSION void sigmoid(const Rows& r) {
  float lanes[kLanes];
  for (int64_t c = 1; c < r.classes; ++c) {
    r.load(c, lanes);
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = 1.0f / (1.0f + exponential(-lanes[l]));
    r.store(c, lanes);
  }
}

}  // namespace

void class_scores_cpu(const float* logits, int64_t n, int64_t count, int64_t classes,
                      const ClassScores& params, float* scores) {
  const auto work = params.function == ScoreFunction::Softmax ? softmax : sigmoid;
  const int64_t groups = (count + kLanes - 1) / kLanes;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t image = 0; image < n; ++image)
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t first = group * kLanes;
      Rows rows = {{},
                   std::min(kLanes, count - first),
                   classes,
                   scores + image * (classes - 1) * count + first,
                   count};
      for (int64_t l = 0; l < kLanes; ++l)
        rows.row[l] = logits + (image * count + first + std::min(l, rows.rows - 1)) * classes;
      work(rows);
    }
}

}  // namespace tyto::kernels
