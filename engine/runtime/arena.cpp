#include "engine/runtime/arena.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace tyto {
namespace {

constexpr int64_t kAlignment = 64;

int64_t rounded(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

int64_t most_alive(const std::vector<Lifetime>& values) {
  std::map<int, int64_t> change;  // of the bytes alive, when a step begins
  for (const Lifetime& v : values) {
    change[v.first] += rounded(v.bytes);
    change[v.last + 1] -= rounded(v.bytes);
  }
  int64_t alive = 0, most = 0;
  for (const auto& [step, bytes] : change) most = std::max(most, alive += bytes);
  return most;
}

ArenaPlan plan_arena(const std::vector<Lifetime>& values) {
  ArenaPlan plan;
  plan.offsets.resize(values.size());
  plan.bound = most_alive(values);

  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(-values[a].bytes, a) < std::pair(-values[b].bytes, b);
  });

  std::vector<size_t> placed;  // by rising offset
  for (size_t id : order) {
    const int64_t bytes = rounded(values[id].bytes);
    int64_t offset = 0;
    for (size_t other : placed) {
      const bool together = values[other].first <= values[id].last && values[id].first <= values[other].last;
      if (!together) continue;
      if (offset + bytes <= plan.offsets[other]) break;  // the gap before it is wide enough
      offset = std::max(offset, plan.offsets[other] + rounded(values[other].bytes));
    }
    plan.offsets[id] = offset;
    plan.total = std::max(plan.total, offset + bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), id,
                                   [&](size_t a, size_t b) { return plan.offsets[a] < plan.offsets[b]; }),
                  id);
  }
  return plan;
}

}  // namespace tyto
