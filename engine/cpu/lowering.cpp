#include "engine/cpu/lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "engine/graph/prologue.h"
#include "engine/runtime/admission.h"
#include "engine/runtime/step_costs.h"

namespace tyto::cpu {
namespace {

// oneDNN's errors as ours, naming what was being lowered.
template <class F>
void lower_named(const std::string& what, const F& lower) {
  try {
    lower();
  } catch (const dnnl::error& e) {
    throw Error(e.status == dnnl_out_of_memory ? ErrorKind::Memory : ErrorKind::Unsupported,
                fmt::format("{}: oneDNN: {}", what, e.message));
  }
}

}  // namespace

// Through the C interface, whose argument list can be made once: dnnl::primitive::execute allocates one per
// call.
std::function<void(dnnl::stream&)> execution(const dnnl::primitive& primitive, Arguments arguments) {
  std::vector<dnnl_exec_arg_t> list;
  for (const auto& [index, m] : arguments) list.push_back({index, m.get()});
  return [primitive, list = std::move(list), keep_alive = std::move(arguments)](dnnl::stream& stream) {
    dnnl::error::wrap_c_api(
        dnnl_primitive_execute(primitive.get(), stream.get(), static_cast<int>(list.size()), list.data()),
        "could not execute a primitive");
  };
}

Lowering::Lowering(const Graph& graph, Precision precision, const dnnl::engine& engine, PackedWeights& packed,
                   const Admission& admission, int64_t memory_limit)
    : graph_(graph),
      precision_(precision),
      engine_(engine),
      packed_(packed),
      admission_(admission),
      memory_limit_(memory_limit),
      values_(graph.nodes().size()),
      prologue_(prologue_of(graph)) {
  result_.steady = SteadyInputs(graph);
  last_reader_.assign(graph.nodes().size(), -1);
  for (size_t id = 0; id < graph.nodes().size(); ++id)
    for (Value in : graph.nodes()[id].inputs)
      last_reader_[static_cast<size_t>(in.node)] = static_cast<int>(id);
  for (const auto& [name, value] : graph.outputs())
    last_reader_[static_cast<size_t>(value.node)] = std::numeric_limits<int>::max();
}

Lowered Lowering::lower() {
  for (size_t id = 0; id < graph_.nodes().size(); ++id) {
    const Node& node = graph_.nodes()[id];
    const size_t made = result_.steps.size();
    layer_ = node.name;
    values_[id].resize(node.results.size());
    lower_named(fmt::format("layer '{}' ({} {})", node.name, name_of(node.op), node.shape().str()),
                [&] { std::visit([&](const auto& op) { lower(op, node, static_cast<int>(id)); }, node.op); });
    const auto steps = std::span(result_.steps).subspan(made);
    charge(graph_, node, activation_type(precision_), steps);
    if (!prologue_[id]) continue;
    for (Step& step : steps) step.report.prologue = true;
    prologue_steps_ = static_cast<int>(result_.steps.size());
  }
  for (size_t i = 0; i < graph_.outputs().size(); ++i)
    lower_named("output '" + graph_.outputs()[i].first + "'", [&] { lower_output(i); });

  std::vector<Lifetime> lives, kept;  // each as long as the buffers; what is in one is empty in the other
  const int end = static_cast<int>(result_.steps.size());
  for (const Buffer& b : buffers_) {
    const bool keeps = is_kept(b);
    lives.push_back(keeps ? Lifetime{} : b.life);
    kept.push_back(keeps ? Lifetime{b.life.bytes, 0, end} : Lifetime{});
  }
  const ArenaPlan plan = plan_arena(lives), kept_plan = plan_arena(kept);
  size_t workspace = 0;
  for (const memory& m : scratchpads_) workspace = std::max(workspace, m.get_desc().get_size());

  PlanReport& report = result_.report;
  report.activation_bytes = plan.total;
  report.activation_bound = plan.bound;
  report.workspace_bytes = static_cast<int64_t>(workspace);
  report.prologue_bytes = kept_plan.total;
  for (const auto& w : result_.weights) report.weight_bytes += static_cast<int64_t>(w->get_desc().get_size());
  for (const Step& s : result_.steps) report.steps.push_back(s.report);
  report.output_bytes = output_bytes(graph_, precision_);

  for (const auto& [m, buffer] : bound_) {
    const auto at = static_cast<size_t>(buffer);
    if (is_kept(buffers_[at]))
      result_.kept.push_back({m, kept_plan.offsets[at]});
    else
      result_.placed.push_back({m, plan.offsets[at]});
  }
  for (const memory& m : scratchpads_) result_.placed.push_back({m, plan.total});
  result_.arena_bytes = plan.total + report.workspace_bytes;
  result_.kept_bytes = kept_plan.total;
  return std::move(result_);
}

bool Lowering::is_kept(const Buffer& b) const {
  if (b.input >= 0 || b.constant) return false;
  return b.kept || (b.life.first < prologue_steps_ && b.life.last >= prologue_steps_);
}

const int32_t* Lowering::changed_samples(int id, int64_t samples, std::span<const TensorRef> results) {
  if (!prologue_[static_cast<size_t>(id)] || samples != result_.steady.samples()) return nullptr;
  for (const TensorRef& s : results) buffers_[static_cast<size_t>(s.buffer)].kept = true;
  return result_.steady.changed();
}

void Lowering::lower(const Input&, const Node& node, int id) {
  for (size_t i = 0; i < node.results.size(); ++i) {
    const Result& result = node.results[i];
    const TensorRef s = new_tensor(plain(result.shape, memory_type(result.elements)));
    Buffer& buffer = buffers_[static_cast<size_t>(s.buffer)];
    buffer.input = static_cast<int>(result_.inputs.size());
    buffer.life.bytes = 0;
    result_.inputs.emplace_back();
    store(id, s, static_cast<int>(i));
  }
}

void Lowering::lower_output(size_t index) {
  const auto& [name, value] = graph_.outputs()[index];
  layer_ = name;
  const memory::desc layout = plain(graph_.shape(value), memory_type(graph_.result(value).elements));
  memory target(layout, engine_, nullptr);
  result_.outputs.emplace_back(name, target);
  const TensorRef from = stored(value);
  add_reorder({name, "output", "reorder", layout_name(from.layout), graph_.shape(value)}, from, layout,
              target, std::array{from});
}

void Lowering::store(int id, TensorRef s, int result) {
  Buffer& b = buffers_[static_cast<size_t>(s.buffer)];
  b.last_node = std::max(b.last_node, last_reader_[static_cast<size_t>(id)]);
  values_[static_cast<size_t>(id)][static_cast<size_t>(result)] = std::move(s);
}

TensorRef Lowering::new_tensor(const memory::desc& layout) {
  Buffer b;
  b.life.bytes = static_cast<int64_t>(layout.get_size());
  b.life.first = b.life.last = static_cast<int>(result_.steps.size());
  buffers_.push_back(b);
  return {static_cast<int>(buffers_.size()) - 1, layout};
}

TensorRef Lowering::copy(Value v, const memory::desc& layout) {
  const TensorRef from = stored(v), to = new_tensor(layout);
  const Node& node = graph_.node(v);
  add_reorder({node.name, "reorder", layout_name(from.layout) + " -> " + layout_name(layout),
               layout_name(layout), graph_.shape(v)},
              from, layout, bind(to), std::array{from, to});
  return to;
}

TensorRef Lowering::in_layout(Value v, const memory::desc& layout) {
  return stored(v).layout == layout ? stored(v) : copy(v, layout);
}

TensorRef Lowering::reuse_or_copy(Value v, const memory::desc& layout, int id, const TensorRef& source) {
  const TensorRef& own = stored(v);
  const Buffer& buffer = buffers_[static_cast<size_t>(own.buffer)];
  const bool free = buffer.input < 0 && !buffer.constant && buffer.last_node == id &&
                    own.buffer != source.buffer &&
                    (prologue_[static_cast<size_t>(v.node)] == prologue_[static_cast<size_t>(id)]);
  return free && own.layout == layout ? own : copy(v, layout);
}

memory::desc Lowering::plain(const Shape& shape, memory::data_type type) const {
  admission_.value(layer_, shape, DType::F32, Kind::Rows);
  memory::dims strides(shape.rank(), 1);
  for (size_t i = shape.rank(); i-- > 1;) strides[i - 1] = strides[i] * std::max<int64_t>(1, shape[i]);
  return {shape.dims(), type, strides};
}

memory::desc Lowering::plain(const Result& rows) const {
  return plain(rows.shape, rows.elements == Elements::I32 ? memory::data_type::s32 : memory::data_type::f32);
}

memory::data_type Lowering::memory_type(Elements elements) const {
  switch (dtype_of(elements, activation_type(precision_))) {
    case DType::BF16:
      return memory::data_type::bf16;
    case DType::I32:
      return memory::data_type::s32;
    default:
      return memory::data_type::f32;
  }
}

memory::desc Lowering::any_layout(const Result& map) const {
  return described(map.shape, memory_type(map.elements), memory::format_tag::any);
}

TensorRef Lowering::rows(Value v) { return in_layout(v, plain(graph_.result(v))); }

memory::desc Lowering::described(const Shape& shape, memory::data_type type, memory::format_tag tag) const {
  admission_.value(layer_, shape,
                   type == memory::data_type::u8     ? DType::U8
                   : type == memory::data_type::bf16 ? DType::BF16
                                                     : DType::F32,
                   shape.rank() == 4 ? Kind::Map : Kind::Rows);  // as oneDNN sees it: images, even if of rows
  return {shape.dims(), type, tag};
}

memory Lowering::bind(const TensorRef& s) {
  if (const memory& constant = buffers_[static_cast<size_t>(s.buffer)].constant)
    return {s.layout, engine_, constant.get_data_handle()};
  memory m(s.layout, engine_, nullptr);
  if (const int input = buffers_[static_cast<size_t>(s.buffer)].input; input >= 0)
    result_.inputs[static_cast<size_t>(input)].push_back(m);
  else
    bound_.emplace_back(m, s.buffer);
  return m;
}

memory Lowering::pack(const Weight& weight, const memory::desc& plain_layout, const memory::desc& wanted) {
  auto packed = packed_.get(weight, plain_layout, wanted);
  result_.weights.push_back(packed);
  return *packed;
}

void Lowering::add_step(PlanReport::Step report, std::function<void(dnnl::stream&)> run,
                        std::span<const TensorRef> used) {
  const int step = static_cast<int>(result_.steps.size());
  for (const TensorRef& s : used) {
    Lifetime& life = buffers_[static_cast<size_t>(s.buffer)].life;
    life.last = std::max(life.last, step);
    report.bytes_read += static_cast<int64_t>(s.layout.get_size());
  }
  report.bytes_written = static_cast<int64_t>(used.back().layout.get_size());
  report.bytes_read -= report.bytes_written;
  result_.steps.push_back({std::move(report), std::move(run)});
}

void Lowering::add_map_step(const Node& node, int id, const TensorRef& x, const TensorRef& y,
                            MapKernel kernel) {
  add_step(
      {node.name, std::string(name_of(node.op)), "tyto", layout_name(y.layout), node.shape()},
      [source = bind(x), target = bind(y), from = blocks(x), to = blocks(y),
       kernel = std::move(kernel)](dnnl::stream&) mutable {
        from.data = floats(source);
        to.data = floats(target);
        kernel(as_const(from), to);
      },
      std::array{x, y});
  store(id, y);
}

void Lowering::add_primitive(const Node& node, const std::string& algorithm, const dnnl::primitive& primitive,
                             const memory::desc& scratchpad, Arguments arguments,
                             std::span<const TensorRef> used) {
  bind_scratchpad(scratchpad, arguments);
  add_step(
      {node.name, std::string(name_of(node.op)), algorithm, layout_name(used.back().layout), node.shape()},
      execution(primitive, std::move(arguments)), used);
}

void Lowering::bind_scratchpad(const memory::desc& scratchpad, Arguments& arguments) {
  if (scratchpad.get_size() == 0) return;
  memory m(scratchpad, engine_, nullptr);
  scratchpads_.push_back(m);
  arguments.emplace_back(DNNL_ARG_SCRATCHPAD, m);
}

void Lowering::add_reorder(PlanReport::Step report, const TensorRef& from, const memory::desc& to_layout,
                           const memory& to, std::span<const TensorRef> used) {
  const dnnl::reorder reorder(dnnl::reorder::primitive_desc(engine_, from.layout, engine_, to_layout));
  add_step(std::move(report), execution(reorder, {{DNNL_ARG_FROM, bind(from)}, {DNNL_ARG_TO, to}}), used);
  PlanReport::Step& moved = result_.steps.back().report;
  moved.bytes_read = static_cast<int64_t>(from.layout.get_size());
  moved.bytes_written = static_cast<int64_t>(to_layout.get_size());
}

std::vector<Eltwise> eltwise_of(Activation activation) {
  switch (activation) {
    case Activation::None:
      return {};
    case Activation::Relu:
      return {{dnnl::algorithm::eltwise_relu, 0.0f, 0.0f}};
    case Activation::Relu6:
      return {{dnnl::algorithm::eltwise_clip, 0.0f, 6.0f}};
    case Activation::HardSigmoid:
      return {{dnnl::algorithm::eltwise_linear, 1.0f / 6, 0.5f}, {dnnl::algorithm::eltwise_clip, 0.0f, 1.0f}};
    case Activation::HardSwish:
      return {{dnnl::algorithm::eltwise_hardswish, 0.0f, 0.0f}};
    case Activation::Sigmoid:
      return {{dnnl::algorithm::eltwise_logistic, 0.0f, 0.0f}};
    case Activation::Tanh:
      return {{dnnl::algorithm::eltwise_tanh, 0.0f, 0.0f}};
    case Activation::Silu:
      return {{dnnl::algorithm::eltwise_swish, 1.0f, 0.0f}};
    case Activation::GeluErf:
      return {{dnnl::algorithm::eltwise_gelu_erf, 0.0f, 0.0f}};
    case Activation::GeluTanh:
      return {{dnnl::algorithm::eltwise_gelu_tanh, 0.0f, 0.0f}};
  }
  return {};
}

void append_activation(dnnl::post_ops& ops, Activation activation) {
  for (const Eltwise& step : eltwise_of(activation))
    ops.append_eltwise(1.0f, step.algorithm, step.alpha, step.beta);
}

dnnl::primitive_attr attributes(const dnnl::post_ops& ops) {
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

}  // namespace tyto::cpu
