// Plans by input shape, the least recently used given up when memory is short.
#pragma once

#include <list>
#include <utility>

#include "tyto/plan.h"

namespace tyto {

class PlanCache {
 public:
  PlanCache(const Model& model, Context& context, PlanOptions options)
      : model_(model), context_(context), options_(std::move(options)) {}

  // Valid until the next call. Error{Memory} where the plan alone exceeds the context's limit.
  Plan& get(const Shape& input);

 private:
  const Model& model_;
  Context& context_;
  PlanOptions options_;
  std::list<Plan> plans_;  // most recently used first
};

}  // namespace tyto
