#include "engine/plan_cache.h"

#include <algorithm>

namespace tyto {

Plan& PlanCache::get(const Shape& input) {
  const auto it =
      std::find_if(plans_.begin(), plans_.end(), [&](const Plan& p) { return p.input_shape() == input; });
  if (it != plans_.end()) {
    plans_.splice(plans_.begin(), plans_, it);
    return plans_.front();
  }
  for (;;) try {
      return plans_.emplace_front(model_, context_, input, options_);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::Memory || plans_.empty()) throw;
      plans_.pop_back();
    }
}

}  // namespace tyto
