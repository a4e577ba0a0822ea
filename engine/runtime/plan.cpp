#include "tyto/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "engine/graph/passes.h"
#include "engine/images/preprocessing.h"
#include "engine/model/build_graph.h"
#include "engine/runtime/backend.h"
#include "engine/runtime/plan_graph.h"
#include "files/named.h"

namespace tyto {
namespace {

// Runs before a profile: a GPU's first loads kernels, its second captures the graph.
constexpr int kWarmUps = 2;

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

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
  check_idle();
  submit(input);
  return collect();
}

PlanProfile Plan::profile(const Tensor& input, int repeats) {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  check_idle();
  check_input(input);
  if (repeats < 1) throw Error(ErrorKind::Usage, "a profile needs one run at least");
  const auto timed = [](const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return Milliseconds(std::chrono::steady_clock::now() - start).count();
  };
  const size_t steps = report().steps.size();
  std::vector<std::vector<double>> step_ms(steps);
  std::vector<double> outside_ms, run_ms;
  for (int i = -kWarmUps * in_flight(); i < repeats; ++i) {  // with several GPUs runs go round them
    const double run = timed([&] { this->run(input); });
    std::vector<double> each;
    double outside = timed([&] { each = executable_->time_steps(input, outputs_); });
    if (i < 0) continue;
    for (size_t step = 0; step < steps; ++step) {
      step_ms[step].push_back(each[step]);
      outside -= each[step];
    }
    outside_ms.push_back(std::max(0.0, outside));  // a GPU's events and the host have clocks of their own
    run_ms.push_back(run);
  }
  PlanProfile profile;
  for (std::vector<double>& times : step_ms) profile.step_ms.push_back(median(times));
  profile.outside_ms = median(outside_ms);
  profile.run_ms = median(run_ms);
  return profile;
}

void Plan::check_idle() const {
  if (waiting_ > 0)
    throw Error(ErrorKind::Usage, "a plan cannot run while submitted inputs wait to be collected");
}

void Plan::check_input(const Tensor& input) const {
  if (input.dtype() != DType::F32 || input.shape() != input_shape_)
    throw Error(ErrorKind::Shape,
                fmt::format("the plan was made for an F32 input of {}, not {} {}", input_shape_.str(),
                            name_of(input.dtype()), input.shape().str()));
}

void Plan::submit(const Tensor& input) {
  check_input(input);
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
