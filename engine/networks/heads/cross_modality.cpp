#include "engine/networks/heads/cross_modality.h"

namespace tyto {

Value gem(Graph& g, Value x, float power) {
  const std::vector<float> value = {power};
  const Weight weight = constant("power", Tensor::of<float>({1}, value));
  return g.flatten(g.apply(GemPool{GemPool::Epsilon::Added, 1e-12f}, {x}, {weight}));
}

NetworkOutputs neck(Graph& g, const Weights& w, Value x, const std::string& pooling) {
  constexpr float kPower = 3;
  const Value pooled = pooling == "gem" ? gem(g, x, kPower) : g.flatten(g.global_average_pool(x));
  const Value fc = g.batch_norm(pooled, w.scope("bottleneck"));
  w.expect_unused("classifier.");  // the identities seen in training
  return embedding({{"fc", fc}, {"pool", pooled}});
}

}  // namespace tyto
