// Plans of one network for images of many sizes, made as sizes are met.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>

#include "engine/graph/graph.h"
#include "tyto/plan.h"

namespace tyto {

// They share packed weights, and one arena as all plans of a context do, so that a size more costs its
// outputs and what libraries keep for its layers.
class PlanCache {
 public:
  struct Size {
    int64_t rows = 1, height = 0, width = 0;  // of the images
    auto operator<=>(const Size&) const = default;
  };
  using Build = std::function<Graph(const Size&)>;  // an optimised graph

  static constexpr size_t kMost = 1024;  // plans

  PlanCache(Context& context, Precision precision, Build build)
      : context_(context), precision_(precision), build_(std::move(build)) {}

  // Made where there is none. Where memory does not hold one more, and beyond kMost, the plan that was used
  // longest ago goes, but none whose results have not been collected. Valid until the next call. Errors of
  // Plan; Error{Memory} where no plan is left to go.
  Plan& plan(const Size& size);

  size_t made() const { return made_; }
  double seconds() const { return seconds_; }  // that making them took

 private:
  struct Entry {
    Size size;
    Plan plan;
  };
  Plan make(const Size& size);
  bool drop_one();  // false where every plan is waited for

  Context& context_;
  Precision precision_;
  Build build_;
  std::list<Entry> plans_;  // the one used last first
  std::map<Size, std::list<Entry>::iterator> by_size_;
  size_t made_ = 0;
  double seconds_ = 0;
};

}  // namespace tyto
