#include "engine/runtime/steady_inputs.h"

#include <algorithm>
#include <cstring>

namespace tyto {

SteadyInputs::SteadyInputs(const Graph& graph) {
  const NamedValues inputs = graph.inputs();
  int64_t samples = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value value = inputs[i].second;
    if (!std::get<Input>(graph.node(value).op).steady) continue;
    const Shape& shape = graph.shape(value);
    constexpr int64_t kElement = sizeof(float);  // F32 or I32
    kept_.push_back({i, shape[0], std::vector<std::byte>(static_cast<size_t>(shape.elements() * kElement))});
    samples = samples == 0 ? shape[0] : std::min(samples, shape[0]);
  }
  if (!kept_.empty()) changed_.resize(static_cast<size_t>(std::max<int64_t>(1, samples)));
}

int64_t SteadyInputs::keep(std::span<const BoundInput> inputs) {
  std::ranges::fill(changed_, known_ ? 0 : 1);
  known_ = true;
  for (Kept& kept : kept_) {
    const auto* const tensor = std::get_if<const Tensor*>(&inputs[kept.input]);
    if (!tensor) {  // images
      std::ranges::fill(changed_, 1);
      continue;
    }
    // Of what samples do not share out evenly all is of each.
    const size_t parts = kept.rows % samples() == 0 ? changed_.size() : 1;
    const size_t part = kept.bytes.size() / parts, its_samples = changed_.size() / parts;
    for (size_t i = 0; i < parts; ++i) {
      const std::byte* const now = (*tensor)->data() + i * part;
      std::byte* const before = kept.bytes.data() + i * part;
      if (std::memcmp(now, before, part) == 0) continue;
      std::fill_n(changed_.begin() + static_cast<std::ptrdiff_t>(i * its_samples), its_samples, 1);
      std::memcpy(before, now, part);
    }
  }
  return std::ranges::count(changed_, 1);
}

}  // namespace tyto
