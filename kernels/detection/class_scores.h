// Logits to probabilities, laid out for the selection of detections.
#pragma once

#include <cstdint>

#include "kernels/common/stream.h"

namespace tyto::kernels {

enum class ScoreFunction : uint8_t {
  Softmax,  // over all classes, background included
  Sigmoid,  // of each class by itself
};

struct ClassScores {
  ScoreFunction function = ScoreFunction::Softmax;
};

// Class 0 is the background: it takes part in the softmax and is left out of the result. The exponentials of
// a softmax are of differences to the row's maximum, so that nothing overflows; a row with a NaN, a +inf, or
// -inf alone gives NaN throughout, as torch's does. Of a sigmoid, a NaN spoils its own class alone. logits
// [n, count, classes]       classes >= 1 scores  [n, classes - 1, count]   class c at row c - 1
void class_scores_cpu(const float* logits, int64_t n, int64_t count, int64_t classes, const ClassScores&,
                      float* scores);

// The same bits. Device pointers; n * count < 2^31, classes <= 12287 (a row has to fit into shared memory).
void class_scores(const float* logits, int64_t n, int64_t count, int64_t classes, const ClassScores&,
                  float* scores, Stream stream);

}  // namespace tyto::kernels
