#include "engine/graph/passes.h"

namespace tyto {

Graph optimise(const Graph& graph, const std::vector<std::string>& outputs) {
  return fuse_activation(fuse_residual(fold_batch_norm(drop_dead(graph, outputs))));
}

}  // namespace tyto
