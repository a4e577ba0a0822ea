#include "engine/runtime/plan_cache.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "engine/runtime/plan_graph.h"

namespace tyto {

Plan& PlanCache::plan(const Size& size) {
  if (const auto known = by_size_.find(size); known != by_size_.end()) {
    plans_.splice(plans_.begin(), plans_, known->second);
    return plans_.front().plan;
  }
  while (plans_.size() >= kMost && drop_one()) {
  }
  plans_.push_front({size, make(size)});
  by_size_[size] = plans_.begin();
  return plans_.front().plan;
}

Plan PlanCache::make(const Size& size) {
  const auto start = std::chrono::steady_clock::now();
  const Graph graph = build_(size);
  for (;;) {
    try {
      Plan plan = plan_graph(graph, context_, precision_);
      ++made_;
      seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      return plan;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Memory || !drop_one()) throw;
    }
  }
}

bool PlanCache::drop_one() {
  const auto oldest = std::find_if(plans_.rbegin(), plans_.rend(),
                                   [](const Entry& entry) { return entry.plan.waiting() == 0; });
  if (oldest == plans_.rend()) return false;
  by_size_.erase(oldest->size);
  plans_.erase(std::next(oldest).base());
  return true;
}

}  // namespace tyto
