#include "tyto/plan.h"

#include <fmt/format.h>

#include "engine/graph/passes.h"
#include "engine/images/preprocessing.h"
#include "engine/model/build_graph.h"
#include "engine/runtime/backend.h"
#include "engine/runtime/plan_graph.h"
#include "files/named.h"

namespace tyto {
namespace {

constexpr Named<Precision> kPrecisions[] = {{"fp32", Precision::Fp32},
                                            {"tf32", Precision::Tf32},
                                            {"fp16", Precision::Fp16},
                                            {"bf16", Precision::Bf16}};

}  // namespace

std::string name_of(Precision precision) { return std::string(name_in(kPrecisions, precision)); }
Precision precision_from(const std::string& name) { return row_named(name, kPrecisions, "precision").value; }

Plan::Plan(const Model& model, Context& context, const Shape& input, const PlanOptions& options)
    : Plan(optimise(build_graph(model, input, options.set), options.outputs), context, options.precision) {}

Plan::Plan(const Graph& graph, Context& context, Precision precision)
    : executable_(backend_of(context).compile(graph, precision)) {  // which looks at the memory limit
  for (const Node& node : graph.nodes())
    if (std::holds_alternative<Input>(node.op)) input_shape_ = node.shape;
  for (const auto& [name, value] : graph.outputs())
    outputs_.emplace(name, Tensor(DType::F32, graph.shape(value)));
}

Plan plan_graph(const Graph& graph, Context& context, Precision precision) {
  return {graph, context, precision};
}

Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;

const std::map<std::string, Tensor>& Plan::run(const Tensor& input) {
  if (waiting_ > 0)
    throw Error(ErrorKind::Usage, "a plan cannot run while submitted inputs wait to be collected");
  submit(input);
  return collect();
}

void Plan::submit(const Tensor& input) {
  if (input.dtype() != DType::F32 || input.shape() != input_shape_)
    throw Error(ErrorKind::Shape,
                fmt::format("the plan was made for an F32 input of {}, not {} {}", input_shape_.str(),
                            name_of(input.dtype()), input.shape().str()));
  check_room();
  executable_->submit(input);
  ++waiting_;
}

std::vector<Geometry> submit_images(Plan& plan, std::span<const Image> images, const Preprocessing& rule) {
  const Shape& input = plan.input_shape_;
  if (input.rank() != 4 || static_cast<int64_t>(images.size()) > input[0] ||
      input != Shape{input[0], 3, rule.height, rule.width})
    throw Error(ErrorKind::Shape, fmt::format("{} images of {} x {} do not fit an input of {}", images.size(),
                                              rule.height, rule.width, input.str()));
  for (const Image& image : images) check_image(image);
  plan.check_room();
  std::vector<Geometry> geometries = plan.executable_->submit_images(images, rule);
  ++plan.waiting_;
  return geometries;
}

void Plan::check_room() const {
  if (waiting_ == in_flight())
    throw Error(ErrorKind::Usage,
                fmt::format("{} inputs wait already; collect one before the next", waiting_));
}

const std::map<std::string, Tensor>& Plan::collect() {
  if (waiting_ == 0) throw Error(ErrorKind::Usage, "nothing was submitted that could be collected");
  --waiting_;
  executable_->collect(outputs_);
  return outputs_;
}

int Plan::in_flight() const { return executable_->in_flight(); }
bool Plan::preprocesses() const { return executable_->preprocesses(); }

const Shape& Plan::output_shape(const std::string& name) const {
  const auto it = outputs_.find(name);
  if (it == outputs_.end())
    throw Error(ErrorKind::Usage, fmt::format("the plan computes no output '{}'", name));
  return it->second.shape();
}

const PlanReport& Plan::report() const { return executable_->report(); }

}  // namespace tyto
