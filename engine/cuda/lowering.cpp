#include "engine/cuda/lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "engine/runtime/step_costs.h"
#include "kernels/elementwise/epilogue.h"
#include "kernels/elementwise/not_finite.h"
#include "kernels/layout/convert.h"
#include "kernels/layout/nhwc_to_nchw.h"

namespace tyto::cuda {
namespace {

constexpr int64_t kAlignment = 256;  // of the libraries' workspace

int64_t bytes_of(const TensorRef& s) {
  const int64_t planes =
      s.shape.rank() == 4 ? s.shape[0] * s.shape[2] * s.shape[3] * s.channels : s.shape.elements();
  return planes * size_of(s.type);
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
      image_planes_(graph.nodes().size()),
      addresses_(std::make_shared<Addresses>()) {}

Lowered Lowering::lower(const std::function<DeviceBuffer(int64_t)>& allocate) {
  if (precision_ == Precision::Fp16) {
    result_.overflow = persistent(sizeof(uint32_t));
    add_step({"overflow", "zero", "cuda", "rows", {1}}, std::array{result_.overflow},
             [m = addresses_, counter = result_.overflow](cudaStream_t s) {
               check(cudaMemsetAsync(m->at(counter), 0, sizeof(uint32_t), s), "clear a counter");
             });
  }
  for (size_t id = 0; id < graph_.nodes().size(); ++id) {
    const Node& node = graph_.nodes()[id];
    const size_t made = result_.steps.size();
    layer_ = node.name;
    try {
      std::visit([&](const auto& op) { lower(op, node, static_cast<int>(id)); }, node.op);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::Format || error.kind() == ErrorKind::Shape)
        throw;  // which name the layer themselves
      throw Error(error.kind(), fmt::format("layer '{}' ({} {}): {}", node.name, name_of(node.op),
                                            node.shape.str(), error.what()));
    }
    charge(graph_, node, type_, std::span(result_.steps).subspan(made));
  }
  for (size_t i = 0; i < graph_.outputs().size(); ++i) lower_output(i);

  const int end = static_cast<int>(result_.steps.size());
  for (Lifetime& life : buffers_) life.last = std::min(life.last, end);
  const ArenaPlan plan = plan_arena(buffers_);
  PlanReport& report = result_.report;
  report.activation_bytes = plan.total;
  report.activation_bound = plan.bound;
  report.workspace_bytes = workspace_;
  for (const auto& w : result_.weights) report.weight_bytes += w->bytes();
  for (const Step& s : result_.steps) report.steps.push_back(s.report);
  report.output_bytes = output_bytes(graph_);

  result_.memory = allocate(aligned(report.activation_bytes) + report.workspace_bytes);
  addresses_->arena = result_.memory.data();
  addresses_->workspace = result_.memory.data() + aligned(report.activation_bytes);
  addresses_->offsets = plan.offsets;
  result_.addresses = addresses_;
  return std::move(result_);
}

void Lowering::lower_output(size_t index) {
  const auto& [name, value] = graph_.outputs()[index];
  layer_ = name;
  const TensorRef from = stored(value);
  watch(from, name);
  TensorRef result;
  if (from.shape.rank() == 4) {
    result = planes(value, DType::F32, from.shape, name);
  } else {
    result = new_tensor(from.shape, DType::F32);
    add_step({name, "output", "tyto", "rows", from.shape}, std::array{from, result},
             [=, m = addresses_, n = from.shape.elements()](cudaStream_t s) {
               with_element_type(from.type, [&]<class T>() {
                 kernels::convert<T, float>(m->at<const T>(from), n, m->at<float>(result), s);
               });
             });
  }
  buffers_[static_cast<size_t>(result.buffer)].last = std::numeric_limits<int>::max();
  result_.outputs.emplace_back(name, result);
}

TensorRef Lowering::new_padded(const Shape& shape, int64_t channels) {
  const Shape in_memory = {shape[0], channels, shape[2], shape[3]};
  admission_.value(layer_, in_memory, type_);
  Lifetime life;
  life.bytes = in_memory.elements() * size_of(type_);
  life.first = life.last = static_cast<int>(result_.steps.size());
  buffers_.push_back(life);
  return {static_cast<int>(buffers_.size()) - 1, type_, shape, channels};
}

TensorRef Lowering::new_tensor(const Shape& shape, DType type) {
  admission_.value(layer_, shape, type);
  Lifetime life;
  life.bytes = shape.elements() * size_of(type);
  life.first = life.last = static_cast<int>(result_.steps.size());
  buffers_.push_back(life);
  return {static_cast<int>(buffers_.size()) - 1, type, shape, shape.rank() > 1 ? shape[1] : 1};
}

TensorRef Lowering::scratch(int64_t bytes) { return new_tensor(Shape{bytes}, DType::U8); }

TensorRef Lowering::persistent(int64_t bytes) {
  const TensorRef s = scratch(bytes);
  buffers_[static_cast<size_t>(s.buffer)].first = 0;
  buffers_[static_cast<size_t>(s.buffer)].last = std::numeric_limits<int>::max();
  return s;
}

void Lowering::watch(const TensorRef& s, const std::string& name) {
  if (s.type != DType::F16) return;
  add_step({name, "watch for overflow", "tyto", "any", s.shape}, std::array{s, result_.overflow},
           [s, m = addresses_, counter = result_.overflow, n = s.shape.elements()](cudaStream_t stream) {
             kernels::count_not_finite<kernels::Half>(m->at<const kernels::Half>(s), n,
                                                      m->at<uint32_t>(counter), stream);
           });
}

TensorRef Lowering::planes(Value v, DType type, const Shape& shape, const std::string& name) {
  const TensorRef from = stored(v), result = new_tensor(shape, type);
  add_step({name, type == type_ ? "flatten" : "output", "tyto", "rows", shape}, std::array{from, result},
           [=, m = addresses_](cudaStream_t s) {
             with_element_type(from.type, [&]<class T>() {
               if (result.type == DType::F32)
                 kernels::nhwc_to_nchw<T, float>(m->images<const T>(from), m->at<float>(result), s);
               else
                 kernels::nhwc_to_nchw<T, T>(m->images<const T>(from), m->at<T>(result), s);
             });
           });
  return result;
}

void Lowering::add_step(PlanReport::Step report, std::span<const TensorRef> used,
                        std::function<void(cudaStream_t)> run) {
  const int step = static_cast<int>(result_.steps.size());
  for (const TensorRef& s : used) {
    Lifetime& life = buffers_[static_cast<size_t>(s.buffer)];
    life.last = std::max(life.last, step);
    report.bytes_read += bytes_of(s);
  }
  report.bytes_written = bytes_of(used.back());
  report.bytes_read -= report.bytes_written;
  result_.steps.push_back({std::move(report), std::move(run), used.back()});
}

void Lowering::add_step(const Node& node, const std::string& algorithm, std::span<const TensorRef> used,
                        std::function<void(cudaStream_t)> run) {
  add_step({node.name, std::string(name_of(node.op)), algorithm, node.shape.rank() == 4 ? "nhwc" : "rows",
            node.shape},
           used, std::move(run));
}

void Lowering::add_activation(const Node& node, Activation activation, const TensorRef& y) {
  add_step(
      {node.name, std::string(name_of(activation)), "tyto", y.shape.rank() == 4 ? "nhwc" : "rows", y.shape},
      std::array{y, y}, [=, m = addresses_](cudaStream_t s) {
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
