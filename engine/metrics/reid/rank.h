// The ranking of one query: gallery images ordered by (score falling, index rising). A NaN score never wins:
// it comes after every number, NaNs among themselves by index; -0 equals +0.
#pragma once

#include <cstdint>

namespace tyto {

// scores [n], n < 2^31
// order  [n] becomes the indices of all scores in ranking order
void rank_all(const float* scores, int64_t n, int32_t* order);

// order [k] becomes the first k entries of what rank_all gives, 0 <= k <= n; takes O(n + k log k).
void rank_top(const float* scores, int64_t n, int64_t k, int32_t* order);

}  // namespace tyto
