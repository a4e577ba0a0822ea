// Weights of any layout, the same on every run.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/graph/graph.h"
#include "files/memory_source.h"
#include "support/random_values.h"

namespace tyto {

using Layout = std::vector<std::pair<std::string, Shape>>;  // names and shapes of tensors, in a file's order

// Weights of variance 1 / fan-in, so that no layer's output explodes or dies; variances are positive.
inline std::shared_ptr<MemorySource> invent(const Layout& layout, const std::string& origin = "invented") {
  std::vector<std::pair<std::string, Tensor>> tensors;
  uint32_t seed = 1;
  for (const auto& [name, shape] : layout) {
    const bool variance = name.ends_with("running_var");
    const double fan_in = static_cast<double>(shape.elements()) / static_cast<double>(shape[0]);
    const float high = shape.rank() == 1 ? 1.5f : static_cast<float>(std::sqrt(3.0 / fan_in));
    tensors.emplace_back(name, noise(shape, ++seed, variance ? 0.5f : -high, high));
  }
  return std::make_shared<MemorySource>(std::move(tensors), origin);
}

inline Weights weights(const Layout& layout) { return Weights(invent(layout)); }

// The tensors of a batch norm at `path`.
inline Layout batch_norm_at(const std::string& path, int64_t channels) {
  return {{path + ".weight", {channels}},
          {path + ".bias", {channels}},
          {path + ".running_mean", {channels}},
          {path + ".running_var", {channels}}};
}

inline Layout operator+(Layout a, const Layout& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace tyto
