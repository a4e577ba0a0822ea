#include "engine/cuda/cudnn/planned_device.h"

#include <fmt/format.h>

#include "engine/cuda/cudnn/convolution_families.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

constexpr size_t kFirstVersion = 90800;

Descriptor describe(const Cudnn& cudnn, const std::string& properties) {
  if (cudnn.GetVersion() < kFirstVersion)
    throw Error(ErrorKind::Unsupported,
                fmt::format("cuDNN {} makes no plans for a GPU that is not here; 9.8 does", cudnn.version()));
  Descriptor device(cudnn, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  device.set_list(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, properties).finalize();
  return device;
}

PlanSummary summary(const ConvolutionPlan& plan, bool from_heuristics = true) {
  return {plan.description(), plan.workspace_bytes, plan.choice.fallback, plan.compiled_at_run_time,
          from_heuristics};
}

}  // namespace

struct PlannedDevice::Impl {
  explicit Impl(const std::string& properties) : device(describe(cudnn, properties)) {}

  const Cudnn cudnn;
  const Descriptor device;
  ConvolutionFamilies families;
};

PlannedDevice::PlannedDevice(const std::string& properties) : impl_(std::make_unique<Impl>(properties)) {}
PlannedDevice::~PlannedDevice() = default;

std::vector<PlanSummary> PlannedDevice::plans(const ConvolutionSpec& spec, int64_t workspace_limit,
                                              size_t limit) const {
  const ConvolutionGraph graph(impl_->cudnn, spec, nullptr);
  std::vector<PlanSummary> summaries;
  for (const ConvolutionPlan& p :
       best_plans(impl_->cudnn, {nullptr, &impl_->device}, graph, spec.precision, workspace_limit, limit))
    summaries.push_back(summary(p));
  return summaries;
}

std::optional<PlanSummary> PlannedDevice::plan(const ConvolutionSpec& spec, int64_t workspace_limit) {
  const PlanTarget target = {nullptr, &impl_->device};
  const ConvolutionGraph graph(impl_->cudnn, spec, nullptr);
  if (const auto known = impl_->families.plan(impl_->cudnn, target, graph, spec, workspace_limit))
    return summary(*known, false);
  const auto plans = best_plans(impl_->cudnn, target, graph, spec.precision, workspace_limit, 1);
  if (plans.empty()) return std::nullopt;
  impl_->families.keep(spec, plans[0].choice);
  return summary(plans[0]);
}

std::string PlannedDevice::cudnn_version() const { return impl_->cudnn.version(); }

}  // namespace tyto::cuda
