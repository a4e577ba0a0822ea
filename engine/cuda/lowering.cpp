#include "engine/cuda/lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "engine/graph/prologue.h"
#include "engine/runtime/step_costs.h"
#include "kernels/elementwise/epilogue.h"
#include "kernels/elementwise/not_finite.h"
#include "kernels/layout/convert.h"
#include "kernels/layout/nhwc_to_nchw.h"

namespace tyto::cuda {
namespace {

constexpr int64_t kAlignment = 256;  // of the libraries' workspace

int64_t bytes_of(const TensorRef& s) {
  const int64_t elements =
      s.kind == Kind::Map ? s.shape[0] * s.shape[2] * s.shape[3] * s.channels : s.shape.elements();
  return elements * size_of(s.type);
}

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

Lowering::Lowering(const Graph& graph, Precision precision, Libraries& libraries, DeviceWeights& weights,
                   const Admission& admission)
    : graph_(graph),
      type_(activation_type(precision)),
      precision_(precision),
      libraries_(libraries),
      weights_(weights),
      admission_(admission),
      values_(graph.nodes().size()),
      prologue_(prologue_of(graph)),
      addresses_(std::make_shared<Addresses>()) {
  result_.steady = SteadyInputs(graph);
}

void Lowering::begin_steps() {
  if (precision_ != Precision::Fp16) return;
  result_.overflow = persistent(sizeof(uint32_t));
  add_step({"overflow", "zero", "cuda", "rows", {1}}, std::array{result_.overflow},
           [m = addresses_, counter = result_.overflow](cudaStream_t s) {
             check(cudaMemsetAsync(m->at(counter), 0, sizeof(uint32_t), s), "clear a counter");
           });
}

bool Lowering::is_kept(size_t buffer) const {
  const Lifetime& life = buffers_[buffer];
  const auto end = static_cast<int>(result_.prologue_steps);
  return kept_[buffer] || (of_prologue_[buffer] && life.last >= end);
}

std::optional<TensorRef> Lowering::changed_samples(int id, int64_t samples,
                                                   std::span<const TensorRef> results) {
  if (!prologue_[static_cast<size_t>(id)] || samples != result_.steady.samples()) return std::nullopt;
  for (const TensorRef& s : results) kept_[static_cast<size_t>(s.buffer)] = true;
  return result_.changed;
}

Lowered Lowering::lower() {
  if (result_.steady.samples() > 0) {
    result_.changed = new_tensor({{result_.steady.samples()}, Elements::I32, Kind::Rows});
    kept_.back() = true;
  }
  bool begun = false;
  for (size_t id = 0; id < graph_.nodes().size(); ++id) {
    const Node& node = graph_.nodes()[id];
    layer_ = node.name;
    values_[id].resize(node.results.size());
    in_prologue_ = prologue_[id];
    const bool given = std::holds_alternative<Input>(node.op) || std::holds_alternative<Constant>(node.op);
    if (!begun && !given && !in_prologue_) {
      begin_steps();
      begun = true;
    }
    const size_t made = result_.steps.size();
    try {
      std::visit([&](const auto& op) { lower(op, node, static_cast<int>(id)); }, node.op);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::Format || error.kind() == ErrorKind::Shape)
        throw;  // which name the layer themselves
      throw Error(error.kind(), fmt::format("layer '{}' ({} {}): {}", node.name, name_of(node.op),
                                            node.shape().str(), error.what()));
    }
    const auto steps = std::span(result_.steps).subspan(made);
    charge(graph_, node, type_, steps);
    if (!in_prologue_) continue;
    for (Step& step : steps) step.report.prologue = true;
    result_.prologue_steps = result_.steps.size();
  }
  in_prologue_ = false;
  if (!begun) begin_steps();
  for (size_t i = 0; i < graph_.outputs().size(); ++i) lower_output(i);

  const int end = static_cast<int>(result_.steps.size());
  for (Lifetime& life : buffers_) life.last = std::min(life.last, end);
  std::vector<Lifetime> kept(buffers_.size());  // what is in one is empty in the other
  for (size_t i = 0; i < buffers_.size(); ++i) {
    addresses_->is_kept.push_back(is_kept(i));
    if (addresses_->is_kept[i]) kept[i] = {std::exchange(buffers_[i].bytes, 0), 0, end};
  }
  const ArenaPlan plan = plan_arena(buffers_), kept_plan = plan_arena(kept);
  PlanReport& report = result_.report;
  report.activation_bytes = plan.total;
  report.activation_bound = plan.bound;
  report.workspace_bytes = workspace_;
  report.prologue_bytes = result_.kept_bytes = kept_plan.total;
  for (const auto& w : result_.weights) report.weight_bytes += w->bytes();
  for (const Step& s : result_.steps) report.steps.push_back(s.report);
  report.output_bytes = output_bytes(graph_, precision_);

  addresses_->offsets = plan.offsets;
  for (size_t i = 0; i < kept.size(); ++i)
    if (addresses_->is_kept[i]) addresses_->offsets[i] = kept_plan.offsets[i];
  addresses_->workspace_offset = aligned(report.activation_bytes);
  result_.arena_bytes = addresses_->workspace_offset + report.workspace_bytes;
  result_.addresses = addresses_;
  return std::move(result_);
}

void Lowering::lower_output(size_t index) {
  const auto& [name, value] = graph_.outputs()[index];
  layer_ = name;
  const TensorRef from = stored(value);
  watch(from, name);
  const TensorRef result = from.kind == Kind::Map ? planes(from, from.shape, "output", name) : from;
  keep_until(result, std::numeric_limits<int>::max());
  result_.outputs.emplace_back(name, result);
}

TensorRef Lowering::new_buffer(const TensorRef& of) {
  TensorRef s = of;
  Lifetime life;
  life.bytes = bytes_of(s);
  life.first = life.last = static_cast<int>(result_.steps.size());
  buffers_.push_back(life);
  of_prologue_.push_back(in_prologue_);
  kept_.push_back(false);
  s.buffer = static_cast<int>(buffers_.size()) - 1;
  s.weight = nullptr;
  return s;
}

void Lowering::keep_until(const TensorRef& s, int step) {
  if (s.weight) return;  // which the plan keeps
  Lifetime& life = buffers_[static_cast<size_t>(s.buffer)];
  life.last = std::max(life.last, step);
}

TensorRef Lowering::new_padded(const Shape& map, DType type, int64_t channels) {
  admission_.value(layer_, {map[0], channels, map[2], map[3]}, type, Kind::Map);
  return new_buffer({.type = type, .shape = map, .kind = Kind::Map, .channels = channels});
}

TensorRef Lowering::new_tensor(const Result& result) {
  const DType type = type_of(result.elements);
  if (result.kind == Kind::Map) return new_padded(result.shape, type, result.shape[1]);
  admission_.value(layer_, result.shape, type, Kind::Rows);
  return new_buffer({.type = type, .shape = result.shape});
}

TensorRef Lowering::scratch(int64_t bytes) { return new_buffer({.type = DType::U8, .shape = {bytes}}); }

TensorRef Lowering::persistent(int64_t bytes) {
  const TensorRef s = scratch(bytes);
  buffers_[static_cast<size_t>(s.buffer)].first = 0;
  buffers_[static_cast<size_t>(s.buffer)].last = std::numeric_limits<int>::max();
  return s;
}

void Lowering::watch(const TensorRef& s, const std::string& name) {
  if (s.type != DType::F16 || in_prologue_) return;  // whose results others read and hand on
  add_step({name, "watch for overflow", "tyto", "any", s.shape}, std::array{s, result_.overflow},
           [s, m = addresses_, counter = result_.overflow,
            n = bytes_of(s) / size_of(s.type)](cudaStream_t stream) {
             kernels::count_not_finite<kernels::Half>(m->at<const kernels::Half>(s), n,
                                                      m->at<uint32_t>(counter), stream);
           });
}

TensorRef Lowering::planes(const TensorRef& map, const Shape& shape, const std::string& operation,
                           const std::string& name) {
  const TensorRef rows = new_buffer({.type = map.type, .shape = shape});
  add_step({name, operation, "tyto", "rows", shape}, std::array{map, rows},
           [=, m = addresses_](cudaStream_t s) {
             with_element_type(map.type, [&]<class T>() {
               kernels::nhwc_to_nchw<T>(m->images<const T>(map), m->at<T>(rows), s);
             });
           });
  return rows;
}

void Lowering::convert(const TensorRef& from, const TensorRef& to, const PlanReport::Step& report) {
  add_step(report, std::array{from, to},
           [=, m = addresses_, n = bytes_of(from) / size_of(from.type)](cudaStream_t s) {
             const DType narrow = from.type == DType::F32 ? to.type : from.type;
             with_element_type(narrow, [&]<class T>() {
               if (from.type == DType::F32)
                 kernels::convert<float, T>(m->at<const float>(from), n, m->at<T>(to), s);
               else
                 kernels::convert<T, float>(m->at<const T>(from), n, m->at<float>(to), s);
             });
           });
}

void Lowering::add_step(PlanReport::Step report, std::span<const TensorRef> used,
                        std::function<void(cudaStream_t)> run) {
  const int step = static_cast<int>(result_.steps.size());
  for (const TensorRef& s : used) {
    keep_until(s, step);
    report.bytes_read += bytes_of(s);
  }
  report.bytes_written = bytes_of(used.back());
  report.bytes_read -= report.bytes_written;
  result_.steps.push_back({std::move(report), std::move(run), used.back()});
}

void Lowering::add_step(const Node& node, const std::string& algorithm, std::span<const TensorRef> used,
                        std::function<void(cudaStream_t)> run) {
  add_step({node.name, std::string(name_of(node.op)), algorithm, layout_name(used.back()), node.shape()},
           used, std::move(run));
}

void Lowering::add_activation(const Node& node, Activation activation, const TensorRef& y) {
  add_step({node.name, std::string(name_of(activation)), "tyto", layout_name(y), y.shape}, std::array{y, y},
           [=, m = addresses_](cudaStream_t s) {
             with_element_type(y.type, [&]<class T>() {
               kernels::epilogue<T>(m->images<const T>(y), nullptr, nullptr, activation, m->at<T>(y), s);
             });
           });
}

const DeviceBuffer* Lowering::keep(DeviceWeights::Buffer buffer) {
  result_.weights.push_back(std::move(buffer));
  return result_.weights.back().get();
}

const DeviceBuffer* Lowering::pack(const Weight& weight, DType type) {
  return pack(weight, "plain", type, [](const Tensor& values) {
    return std::vector<float>(values.as<float>().begin(), values.as<float>().end());
  });
}

const DeviceBuffer* Lowering::pack(const Weight& weight, const std::string& layout, DType type,
                                   const std::function<std::vector<float>(const Tensor&)>& arrange) {
  return keep(weights_.get(weight, layout, type, [&] { return arrange(weight.load()); }));
}

}  // namespace tyto::cuda
