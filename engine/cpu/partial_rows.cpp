// Layers that run on a part of their rows at a time: on those that each run tells there are (proposals, of
// which small images have few), or in passes.
#include <algorithm>
#include <array>
#include <cstring>

#include "engine/cpu/lowering.h"

namespace tyto::cpu {
namespace {

std::byte* bytes(const memory& m) { return static_cast<std::byte*>(m.get_data_handle()); }

}  // namespace

std::optional<Lowering::CountedRows> Lowering::counted(Value v) const {
  const Result& result = graph_.result(v);
  if (!result.count) return std::nullopt;
  const int64_t samples = graph_.shape(*result.count)[0];
  const int64_t capacity = result.kind == Kind::Map ? result.shape[0] / samples : result.shape[1];
  return CountedRows{stored(*result.count), samples, capacity};
}

Movable Lowering::movable(const Rung& rung, Arguments arguments) {
  Movable m = {rung.rows, memory(rung.source, engine_, nullptr), memory(rung.result, engine_, nullptr), {}};
  arguments.emplace_back(DNNL_ARG_SRC, m.source);
  arguments.emplace_back(DNNL_ARG_DST, m.result);
  bind_scratchpad(rung.scratchpad, arguments);
  m.execute = execution(rung.primitive, std::move(arguments));
  return m;
}

void Lowering::add_counted(const Node& node, const std::vector<Rung>& rungs, const CountedRows& counted,
                           const TensorRef& x, const TensorRef& y, const Arguments& weights) {
  const auto samples = static_cast<size_t>(counted.samples);
  const size_t from_bytes = x.layout.get_size() / samples, to_bytes = y.layout.get_size() / samples,
               row_bytes = to_bytes / static_cast<size_t>(counted.capacity);
  std::vector<Movable> layers;
  for (const Rung& rung : rungs) layers.push_back(movable(rung, weights));
  add_step(
      {node.name, std::string(name_of(node.op)), rungs.back().algorithm, layout_name(y.layout), node.shape()},
      [=, layers = std::move(layers), from = bind(x), to = bind(y),
       counts = bind(counted.counts)](dnnl::stream& stream) {
        const auto* count = static_cast<const int32_t*>(counts.get_data_handle());
        for (size_t i = 0; i < samples; ++i) {
          std::byte* const result = bytes(to) + i * to_bytes;
          const auto enough =
              std::ranges::find_if(layers, [&](const Movable& m) { return m.rows >= count[i]; });
          if (count[i] > 0) enough->run(bytes(from) + i * from_bytes, result, stream);
          const size_t done = static_cast<size_t>(count[i]) * row_bytes;
          std::memset(result + done, 0, to_bytes - done);
        }
      },
      std::array{x, counted.counts, y});
}

void Lowering::add_passes(const Node& node, const Rung& rung, int64_t passes, const TensorRef& x,
                          const TensorRef& y, const Arguments& weights) {
  const auto count = static_cast<size_t>(passes);
  add_step(
      {node.name, std::string(name_of(node.op)), rung.algorithm, layout_name(y.layout), node.shape()},
      [=, layer = movable(rung, weights), from = bind(x), to = bind(y),
       from_bytes = x.layout.get_size() / count,
       to_bytes = y.layout.get_size() / count](dnnl::stream& stream) {
        for (size_t i = 0; i < count; ++i)
          layer.run(bytes(from) + i * from_bytes, bytes(to) + i * to_bytes, stream);
      },
      std::array{x, y});
}

}  // namespace tyto::cpu
