#include "engine/metrics/reid/trials.h"

#include <algorithm>
#include <cmath>

namespace tyto {

Evaluation mean_of(std::span<const Evaluation> trials) {
  const auto mean = [&](const auto& measure) { return spread_of(trials, measure).mean; };
  Evaluation all;
  all.protocol = trials.front().protocol;
  for (const Evaluation& e : trials) {
    all.queries = std::max(all.queries, e.queries);
    all.valid_queries = std::max(all.valid_queries, e.valid_queries);
    all.gallery = std::max(all.gallery, e.gallery);
  }
  for (int64_t k = 1; k <= all.gallery; ++k)
    all.cmc.push_back(mean([k](const Evaluation& e) { return e.rank(k); }));
  all.map = mean([](const Evaluation& e) { return e.map; });
  all.minp = mean([](const Evaluation& e) { return e.minp; });
  return all;
}

Spread spread_of(std::span<const Evaluation> trials,
                 const std::function<double(const Evaluation&)>& measure) {
  std::vector<double> values;
  for (const Evaluation& e : trials) values.push_back(measure(e));
  const auto n = static_cast<double>(values.size());
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  Spread spread{0, 0, *min, *max};
  for (const double value : values) spread.mean += value / n;
  // Rounding of the sum must not make equal trials look different.
  spread.mean = std::clamp(spread.mean, *min, *max);
  for (const double value : values) spread.deviation += (value - spread.mean) * (value - spread.mean);
  spread.deviation = n > 1 ? std::sqrt(spread.deviation / (n - 1)) : 0;
  return spread;
}

}  // namespace tyto
