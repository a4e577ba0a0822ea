#include "engine/metrics/reid/hits.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/common/rank_key.h"

namespace tyto {

int64_t hit_positions(const float* scores, const Judgement* judgement, int64_t n, int64_t* positions) {
  std::vector<uint64_t> hits;
  for (int64_t i = 0; i < n; ++i)
    if (judgement[i] == Judgement::Positive)
      hits.push_back(kernels::rank_key(scores[i], static_cast<int32_t>(i)));
  std::sort(hits.begin(), hits.end());

  std::vector<int64_t> before(hits.size() + 1, 0);  // [h]: wrong images between hit h-1 and hit h
  for (int64_t i = 0; i < n; ++i) {
    if (judgement[i] != Judgement::Negative) continue;
    const uint64_t key = kernels::rank_key(scores[i], static_cast<int32_t>(i));
    ++before[static_cast<size_t>(std::lower_bound(hits.begin(), hits.end(), key) - hits.begin())];
  }
  int64_t wrong = 0;
  for (size_t h = 0; h < hits.size(); ++h) {
    wrong += before[h];
    positions[h] = wrong + static_cast<int64_t>(h);
  }
  return static_cast<int64_t>(hits.size());
}

int64_t identities_ahead(const float* scores, const Judgement* judgement, const int64_t* ids, int64_t n) {
  constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();
  uint64_t first = kNone;
  for (int64_t i = 0; i < n; ++i)
    if (judgement[i] == Judgement::Positive)
      first = std::min(first, kernels::rank_key(scores[i], static_cast<int32_t>(i)));
  if (first == kNone) return -1;

  std::vector<int64_t> ahead;
  for (int64_t i = 0; i < n; ++i)
    if (judgement[i] == Judgement::Negative && kernels::rank_key(scores[i], static_cast<int32_t>(i)) < first)
      ahead.push_back(ids[i]);
  std::sort(ahead.begin(), ahead.end());
  return std::unique(ahead.begin(), ahead.end()) - ahead.begin();
}

}  // namespace tyto
