#include "engine/runtime/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/graph/cost.h"
#include "engine/runtime/arena.h"

namespace tyto {
namespace {

// What oneDNN counts in 32 bits: the rows of a batch, and the pixels of one image, times the four bytes of a
// float. For each column of a convolution's result it keeps some 250 bytes.
constexpr int64_t kMaxRows = int64_t{1} << 28, kMaxPixels = int64_t{1} << 28, kMaxColumns = int64_t{1} << 20;

double mib(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

int64_t bytes_of(const Node& node, Precision precision) {
  int64_t bytes = 0;
  for (const Result& r : node.results)
    bytes += r.shape.elements() * size_of(dtype_of(r.elements, activation_type(precision)));
  return bytes;
}

// A result that may be its first input's memory seen in another shape.
bool may_be_view(const Graph& graph, const Node& node) {
  const auto* pool = std::get_if<AdaptiveAveragePool>(&node.op);
  const auto* activate = std::get_if<Activate>(&node.op);
  return std::holds_alternative<Flatten>(node.op) || std::holds_alternative<Cast>(node.op) ||
         std::holds_alternative<ToMap>(node.op) || std::holds_alternative<ToRows>(node.op) ||
         std::holds_alternative<Reshape>(node.op) || (pool && graph.shape(node.inputs[0]) == node.shape()) ||
         (activate && activate->activation == Activation::None);
}

// What stands elsewhere than in the arena: with the caller, and among the weights.
bool is_given(const Node& node) {
  return std::holds_alternative<Input>(node.op) || std::holds_alternative<Constant>(node.op);
}

// The layer, inputs, constants and views apart, that makes most; nullptr where there is none.
const Node* largest_layer(const Graph& graph, Precision precision) {
  const Node* largest = nullptr;
  for (const Node& node : graph.nodes())
    if (!is_given(node) && !may_be_view(graph, node) &&
        (!largest || bytes_of(node, precision) > bytes_of(*largest, precision)))
      largest = &node;
  return largest;
}

// A residual, whose memory may be overwritten by the sum.
bool may_overwrite_second(const Node& node) {
  return std::holds_alternative<Conv2d>(node.op) && node.inputs.size() > 1;
}

void check_countable(const std::string& layer, const Result& result) {
  const Shape& s = result.shape;
  const bool image = result.kind == Kind::Map;
  if ((s.rank() > 1 && s[0] > kMaxRows) ||
      (image && (s[3] > kMaxColumns || s[2] > kMaxPixels / std::max<int64_t>(1, s[3]))))
    throw Error(
        ErrorKind::Unsupported,
        fmt::format("layer '{}' makes {}; a batch has at most 2^28 rows, and an image 2^28 pixels and 2^20 "
                    "columns; use smaller images or a smaller --batch",
                    layer, s.str()));
}

}  // namespace

Room limited(const Room& room, int64_t limit, int64_t held) {
  if (limit <= 0 || limit - held >= room.bytes) return room;
  const int64_t left = std::max<int64_t>(0, limit - held);
  return {left,
          fmt::format("the limit of {:.0f} MiB (--memory-limit) leaves {:.0f} MiB", mib(limit), mib(left))};
}

int64_t output_bytes(const Graph& graph, Precision precision) {
  int64_t bytes = 0;
  for (const auto& [name, value] : graph.outputs())
    bytes += graph.shape(value).elements() *
             size_of(dtype_of(graph.result(value).elements, activation_type(precision)));
  return bytes;
}

int64_t least_activation_bytes(const Graph& graph, Precision precision) {
  constexpr int kNotOurs = -1;
  std::vector<Lifetime> lives;
  std::vector<int> life_of(graph.nodes().size(), kNotOurs);  // of each node's result
  const auto read = [&](Value v, int when) {
    if (const int life = life_of[static_cast<size_t>(v.node)]; life != kNotOurs)
      lives[static_cast<size_t>(life)].last = when;
  };
  for (size_t id = 0; id < graph.nodes().size(); ++id) {
    const Node& node = graph.nodes()[id];
    const int now = static_cast<int>(id);
    for (const Value in : node.inputs) read(in, now);
    if (is_given(node)) continue;
    const bool view = may_be_view(graph, node);
    if (view || may_overwrite_second(node))
      life_of[id] = life_of[static_cast<size_t>(node.inputs[view ? 0 : 1].node)];
    if (view || life_of[id] != kNotOurs) continue;
    life_of[id] = static_cast<int>(lives.size());
    lives.push_back({bytes_of(node, precision), now, now});
  }
  for (const auto& [name, value] : graph.outputs()) read(value, static_cast<int>(graph.nodes().size()));
  return most_alive(lives);
}

Admission::Admission(const Graph& graph, Precision precision, int64_t beside, Room memory, const Room& room)
    : plan_("the plan"), memory_(std::move(memory)) {
  const Node* input = nullptr;  // the largest, which tells most about the plan
  for (const Node& node : graph.nodes())
    if (std::holds_alternative<Input>(node.op) &&
        (!input || bytes_of(node, precision) > bytes_of(*input, precision)))
      input = &node;
  if (input) plan_ = fmt::format("the {} plan for {}", name_of(precision), input->shape().str());
  if (input && input->shape().rank() > 0) batch_ = input->shape()[0];

  if (const Node* const largest = largest_layer(graph, precision))
    check_least(least_activation_bytes(graph, precision) + beside, *largest, room);
  if (input)
    check_least(bytes_of(*input, precision), *input, memory_);  // whatever the limit: it is the caller's
  for (const Node& node : graph.nodes())
    for (const Result& result : node.results) check_countable(node.name, result);
}

void Admission::value(const std::string& layer, const Shape& shape, DType type, Kind kind) const {
  if (shape.elements() > memory_.bytes / size_of(type))
    throw Error(ErrorKind::Memory,
                fmt::format("layer '{}' needs a copy of {}, and {}; use smaller images or a "
                            "smaller --batch",
                            layer, shape.str(), memory_.whose));
  check_countable(layer, {shape, Elements::Activation, kind});
}

void Admission::plan(int64_t bytes, const Room& room) const {
  check(bytes, fmt::format("{:.0f} MiB", mib(bytes)), room);
}

void Admission::check_least(int64_t bytes, const Node& largest, const Room& room) const {
  check(bytes,
        fmt::format("at least {:.0f} MiB (layer '{}' makes {})", mib(bytes), largest.name,
                    largest.shape().str()),
        room);
}

void Admission::check(int64_t bytes, const std::string& needs, const Room& room) const {
  if (bytes <= room.bytes) return;
  // Activations grow with the batch; what does not, the libraries' scratch, makes this estimate a cautious
  // one.
  const auto fitting = static_cast<int64_t>(static_cast<double>(batch_) *
                                            static_cast<double>(std::max<int64_t>(0, room.bytes)) /
                                            static_cast<double>(bytes));
  throw Error(ErrorKind::Memory, fmt::format("{} needs {}, and {}; {}", plan_, needs, room.whose,
                                             fitting >= 1 ? fmt::format("use --batch {} or smaller", fitting)
                                                          : "not even one image fits"));
}

}  // namespace tyto
