#include <algorithm>
#include <vector>

#include "engine/metrics/reid/rank.h"
#include "kernels/common/rank_key.h"

namespace tyto {

void rank_all(const float* scores, int64_t n, int32_t* order) { rank_top(scores, n, n, order); }

void rank_top(const float* scores, int64_t n, int64_t k, int32_t* order) {
  std::vector<uint64_t> keys(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    keys[static_cast<size_t>(i)] = kernels::rank_key(scores[i], static_cast<int32_t>(i));
  const auto last = keys.begin() + k;
  if (k < n) std::nth_element(keys.begin(), last, keys.end());
  std::sort(keys.begin(), last);
  std::transform(keys.begin(), last, order, kernels::rank_key_index);
}

}  // namespace tyto
