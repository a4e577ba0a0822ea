// The rules of the operators that see from above.
#pragma once

#include <vector>

#include "engine/graph/node_view.h"

namespace tyto {

struct BevShapes : NodeView {
  std::vector<Result> operator()(const BevIndexing& op) const;
  Result operator()(const BevPool& op) const;

 private:
  void check(const kernels::Frustum& frustum, const kernels::BevGrid& grid) const;
  int64_t run_capacity(const kernels::Frustum& frustum, int64_t cameras) const;
};

}  // namespace tyto
