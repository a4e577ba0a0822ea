#include "engine/cuda/convolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "engine/cuda/cudnn/convolution_plans.h"
#include "engine/cuda/cudnn/operation_names.h"
#include "engine/cuda/libraries/libraries_impl.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

// What a convolution is run on.
struct Pointers {
  const void *x, *weights, *bias, *residual;
  void *y, *workspace;
  bool operator==(const Pointers&) const = default;
};

Descriptor make_pack(const Cudnn& cudnn, const ConvolutionSpec& spec, const Pointers& p) {
  std::vector<int64_t> ids = {kX, kWeights, kY};
  std::vector<void*> pointers = {const_cast<void*>(p.x), const_cast<void*>(p.weights), p.y};
  const auto bind = [&](TensorId id, const void* pointer) {
    ids.push_back(id);
    pointers.push_back(const_cast<void*>(pointer));
  };
  if (spec.bias) bind(kBias, p.bias);
  if (spec.residual) bind(kResidual, p.residual);
  Descriptor pack(cudnn, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set_list(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids)
      .set_list(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers)
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, p.workspace)
      .finalize();
  return pack;
}

}  // namespace

struct Convolution::Impl {
  Impl(Libraries::Impl& shared, const ConvolutionSpec& given)
      : libraries(shared),
        spec(given),
        graph(shared.cudnn, given, shared.cudnn_handle.get()),
        plan(choose()),
        algorithm("cudnn " + plan.description()) {}

  ConvolutionPlan choose();

  void execute(const ConvolutionPlan& chosen, const Descriptor& arguments, cudaStream_t stream) const {
    const Cudnn& cudnn = libraries.cudnn;
    cudnn.check(cudnn.SetStream(libraries.cudnn_handle.get(), stream), "use a stream");
    cudnn.check(cudnn.BackendExecute(libraries.cudnn_handle.get(), chosen.plan.handle(), arguments.handle()),
                "run a convolution");
  }

  Libraries::Impl& libraries;
  const ConvolutionSpec spec;
  const ConvolutionGraph graph;
  const ConvolutionPlan plan;
  const std::string algorithm;
  // The last run's: a plan mostly runs with the same pointers.
  Pointers pointers{};
  std::optional<Descriptor> pack;
};

// Autotuning times the first size of a family alone, too; what it knows of this very size goes before that.
ConvolutionPlan Convolution::Impl::choose() {
  const PlanTarget target = {libraries.cudnn_handle.get(), nullptr};
  const int64_t limit = libraries.options.workspace_limit;
  if (auto known = libraries.families.plan(libraries.cudnn, target, graph, spec, limit,
                                           libraries.tuned(name_of(spec))))
    return std::move(*known);
  std::vector<ConvolutionPlan> plans =
      best_plans(libraries.cudnn, target, graph, spec.precision, limit, libraries.candidates());
  if (plans.empty())
    throw Error(ErrorKind::Unsupported,
                fmt::format("cuDNN {} has no engine for a {} within {} MiB of workspace",
                            libraries.cudnn.version(), name_of(spec), limit >> 20));

  std::vector<std::string> names;
  int64_t scratch = 0;
  for (const ConvolutionPlan& p : plans) {
    names.push_back(p.choice.name());
    scratch = std::max(scratch, p.workspace_bytes);
  }
  const int64_t element = size_of(activation_type(spec.precision)),
                in = spec.n * spec.height * spec.width * spec.channels * element,
                out = spec.n * spec.out_height * spec.out_width * spec.outputs * element,
                filters = spec.outputs * spec.kernel * spec.kernel * (spec.channels / spec.groups) * element;
  const size_t best = libraries.fastest(
      name_of(spec), names,
      {in, filters, spec.bias ? spec.outputs * element : 0, spec.residual ? out : 0, out, scratch},
      [&](size_t i, const std::vector<DeviceBuffer>& b, cudaStream_t stream) {
        const Pointers p = {b[0].data(), b[1].data(), b[2].data(), b[3].data(), b[4].data(), b[5].data()};
        execute(plans[i], make_pack(libraries.cudnn, spec, p), stream);
      });
  libraries.families.keep(spec, plans[best].choice);
  return std::move(plans[best]);
}

Convolution::Convolution(Libraries& libraries, const ConvolutionSpec& spec)
    : impl_(std::make_unique<Impl>(libraries.impl(), spec)) {}
Convolution::~Convolution() = default;
Convolution::Convolution(Convolution&&) noexcept = default;

void Convolution::run(const void* x, const void* weights, const void* bias, const void* residual, void* y,
                      void* workspace, kernels::Stream stream) {
  const Pointers pointers = {x, weights, bias, residual, y, workspace};
  if (!impl_->pack || pointers != impl_->pointers) {
    impl_->pack = make_pack(impl_->libraries.cudnn, impl_->spec, pointers);
    impl_->pointers = pointers;
  }
  impl_->execute(impl_->plan, *impl_->pack, stream);
}

int64_t Convolution::workspace_bytes() const { return impl_->plan.workspace_bytes; }
const std::string& Convolution::algorithm() const { return impl_->algorithm; }

}  // namespace tyto::cuda
