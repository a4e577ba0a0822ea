#include "engine/metrics/reid/average_precision.h"

namespace tyto {
namespace {

double ratio(int64_t a, int64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

}  // namespace

double average_precision_plain(const int64_t* positions, int64_t hits) {
  double sum = 0;
  for (int64_t i = 0; i < hits; ++i) sum += ratio(i + 1, positions[i] + 1);
  return hits == 0 ? 0 : sum / static_cast<double>(hits);
}

double average_precision_trapezoid(const int64_t* positions, int64_t hits) {
  double sum = 0;
  for (int64_t i = 0; i < hits; ++i) {
    const int64_t r = positions[i];
    sum += (ratio(i + 1, r + 1) + (r == 0 ? 1 : ratio(i, r))) / 2;
  }
  return hits == 0 ? 0 : sum / static_cast<double>(hits);
}

double inverse_negative_penalty(const int64_t* positions, int64_t hits) {
  return hits == 0 ? 0 : ratio(hits, positions[hits - 1] + 1);
}

}  // namespace tyto
