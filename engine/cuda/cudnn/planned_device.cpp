#include "engine/cuda/cudnn/planned_device.h"

#include <fmt/format.h>

#include "engine/cuda/cudnn/convolution_plans.h"
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

}  // namespace

struct PlannedDevice::Impl {
  explicit Impl(const std::string& properties) : device(describe(cudnn, properties)) {}

  const Cudnn cudnn;
  const Descriptor device;
};

PlannedDevice::PlannedDevice(const std::string& properties) : impl_(std::make_unique<Impl>(properties)) {}
PlannedDevice::~PlannedDevice() = default;

std::vector<PlanSummary> PlannedDevice::plans(const ConvolutionSpec& spec, int64_t workspace_limit,
                                              size_t limit) const {
  const ConvolutionGraph graph(impl_->cudnn, spec, nullptr);
  std::vector<PlanSummary> summaries;
  for (const ConvolutionPlan& p :
       best_plans(impl_->cudnn, {nullptr, &impl_->device}, graph, spec.precision, workspace_limit, limit))
    summaries.push_back({p.description(), p.workspace_bytes, p.fallback, p.compiled_at_run_time});
  return summaries;
}

std::string PlannedDevice::cudnn_version() const { return impl_->cudnn.version(); }

}  // namespace tyto::cuda
