#include "tyto/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "engine/graph/cost.h"
#include "engine/graph/passes.h"
#include "engine/images/image_fit.h"
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

// Plan's list of the graph's inputs or outputs.
std::vector<TensorInfo> describe(const Graph& graph, const NamedValues& values, Precision precision) {
  std::vector<TensorInfo> infos;
  for (const auto& [name, value] : values) {
    const Result& result = graph.result(value);
    infos.push_back({name, dtype_of(result.elements, activation_type(precision)), result.shape,
                     result.count ? name + kCountSuffix : ""});
  }
  return infos;
}

std::string names_of(const std::vector<TensorInfo>& infos) {
  std::vector<std::string> names;
  for (const TensorInfo& info : infos) names.push_back(info.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

void check(const TensorInfo& wanted, const Tensor& given) {
  if (given.dtype() != wanted.type || given.shape() != wanted.shape)
    throw Error(ErrorKind::Shape, fmt::format("the plan was made for an input '{}' of {} {}, not {} {}",
                                              wanted.name, name_of(wanted.type), wanted.shape.str(),
                                              name_of(given.dtype()), given.shape().str()));
}

void check(const TensorInfo& wanted, const ImageBatch& given) {
  const Shape& shape = wanted.shape;
  const auto refuse = [&](int height, int width) {
    throw Error(ErrorKind::Shape, fmt::format("{} images of {} x {} do not fit the input '{}' of {}",
                                              given.images.size(), height, width, wanted.name, shape.str()));
  };
  const Preprocessing& rule = *given.rule;
  if (wanted.type != DType::F32 || shape.rank() != 4 || shape[1] != 3 ||
      static_cast<int64_t>(given.images.size()) > shape[0])
    refuse(rule.height, rule.width);
  for (const Image& image : given.images) {
    check_image(image);
    const ImageFit fit = fit_image(rule, image.width, image.height);
    if (fit.height != shape[2] || fit.width != shape[3]) refuse(fit.height, fit.width);
  }
}

void check(const TensorInfo& wanted, const BoundInput& given) {
  if (const auto* images = std::get_if<ImageBatch>(&given))
    check(wanted, *images);
  else
    check(wanted, *std::get<const Tensor*>(given));
}

BoundInput bound(const Tensor& tensor) { return &tensor; }
BoundInput bound(const BoundInput& input) { return input; }

// `given`: tensors or BoundInputs by name.
template <class Given>
void bind_inputs(const std::vector<TensorInfo>& wanted, const Given& given, std::vector<BoundInput>& into) {
  into.clear();
  for (const TensorInfo& info : wanted) {
    const auto it = given.find(info.name);
    if (it == given.end())
      throw Error(ErrorKind::Usage, fmt::format("the plan needs an input '{}' of {} {}", info.name,
                                                name_of(info.type), info.shape.str()));
    into.push_back(bound(it->second));
    check(info, into.back());
  }
  for (const auto& [name, input] : given)
    if (std::ranges::none_of(wanted, [&](const TensorInfo& info) { return info.name == name; }))
      throw Error(ErrorKind::Usage,
                  fmt::format("the plan has no input '{}'; it has {}", name, names_of(wanted)));
}

}  // namespace

struct Plan::Bound {
  std::vector<BoundInput> inputs;
};

std::string name_of(Precision precision) { return std::string(name_in(kPrecisions, precision)); }
Precision precision_from(const std::string& name) { return row_named(name, kPrecisions, "precision").value; }

Plan::Plan(const Model& model, Context& context, const InputShapes& inputs, const PlanOptions& options)
    : Plan(optimise(build_graph(model, inputs, options.set), options.outputs), context, options.precision) {}

Plan::Plan(const Graph& graph, Context& context, Precision precision)
    : executable_(backend_of(context).compile(graph, precision)),  // which looks at the memory limit
      inputs_(describe(graph, graph.inputs(), precision)),
      output_infos_(describe(graph, graph.outputs(), precision)),
      bound_(std::make_unique<Bound>()),
      outputs_(output_tensors(graph, precision)) {
  bound_->inputs.reserve(inputs_.size());
}

Plan plan_graph(const Graph& graph, Context& context, Precision precision) {
  return {graph, context, precision};
}

std::map<std::string, Tensor> output_tensors(const Graph& graph, Precision precision) {
  std::map<std::string, Tensor> tensors;
  for (const TensorInfo& info : describe(graph, graph.outputs(), precision))
    tensors.emplace(info.name, Tensor(info.type, info.shape));
  return tensors;
}

Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;

const std::map<std::string, Tensor>& Plan::run(const std::map<std::string, Tensor>& inputs) {
  check_idle();
  submit(inputs);
  return collect();
}

const std::map<std::string, Tensor>& Plan::run(const Tensor& input) {
  check_idle();
  submit(input);
  return collect();
}

PlanProfile Plan::profile(const std::map<std::string, Tensor>& inputs, int repeats) {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  check_idle();
  bind_inputs(inputs_, inputs, bound_->inputs);
  if (repeats < 1) throw Error(ErrorKind::Usage, "a profile needs one run at least");
  const auto timed = [](const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return Milliseconds(std::chrono::steady_clock::now() - start).count();
  };
  const size_t steps = report().steps.size();
  std::vector<std::vector<double>> step_ms(steps);
  std::vector<double> outside_ms, run_ms, changed_run_ms;
  const bool has_prologue =
      std::ranges::any_of(report().steps, [](const PlanReport::Step& step) { return step.prologue; });
  for (int i = -kWarmUps * in_flight(); i < repeats; ++i) {  // with several GPUs runs go round them
    const double run = timed([&] { this->run(inputs); });
    if (has_prologue) {
      executable_->forget_prologue();
      const double changed = timed([&] { this->run(inputs); });
      if (i >= 0) changed_run_ms.push_back(changed);
    }
    std::vector<double> each;
    double outside = timed([&] { each = executable_->time_steps(bound_->inputs, outputs_); });
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
  if (has_prologue) profile.changed_run_ms = median(changed_run_ms);
  return profile;
}

void Plan::check_idle() const {
  if (waiting_ > 0)
    throw Error(ErrorKind::Usage, "a plan cannot run while submitted inputs wait to be collected");
}

void Plan::submit(const std::map<std::string, Tensor>& inputs) {
  bind_inputs(inputs_, inputs, bound_->inputs);
  submit_bound();
}

void Plan::submit(const Tensor& input) {
  if (inputs_.size() != 1)
    throw Error(ErrorKind::Usage,
                fmt::format("the plan needs {} inputs, not one: {}", inputs_.size(), names_of(inputs_)));
  check(inputs_.front(), input);
  bound_->inputs.assign(1, &input);
  submit_bound();
}

void submit(Plan& plan, const RunInputs& inputs) {
  bind_inputs(plan.inputs_, inputs, plan.bound_->inputs);
  plan.submit_bound();
}

void Plan::submit_bound() {
  check_room();
  executable_->submit(bound_->inputs);
  ++waiting_;
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

const Shape& Plan::output_shape(const std::string& name) const {
  const auto it = outputs_.find(name);
  if (it == outputs_.end())
    throw Error(ErrorKind::Usage, fmt::format("the plan computes no output '{}'", name));
  return it->second.shape();
}

int64_t Plan::prologue_samples() const { return executable_->prologue_samples(); }

const PlanReport& Plan::report() const { return executable_->report(); }

}  // namespace tyto
