// The identity loss and CMDC, each by its own kernels, and their weighted sum.
#include "kernels/losses/identity_and_cmdc.h"

#include "kernels/common/launch.h"
#include "kernels/common/workspace.h"
#include "kernels/losses/cross_entropy.h"

namespace tyto::kernels {
namespace {

template <class C>
__global__ void add_losses_kernel(C lambda, C* values) {
  values[0] = values[1] + lambda * values[2];
}

}  // namespace

template <class T>
int64_t identity_and_cmdc_loss_workspace(int64_t rows, int64_t width) {
  Workspace measured;
  measured.take<char>(cross_entropy_workspace<T>(rows, 1));
  measured.take<char>(cmdc_loss_workspace<T>(rows, width));
  return measured.bytes();
}

template <class T>
void identity_and_cmdc_loss(const IdentityAndCmdcInputs<T>& in, const IdentityAndCmdcLoss& p,
                            const IdentityAndCmdcOutput<T>& out, void* workspace, Stream stream) {
  using C = Computed<T>;
  Workspace pieces(workspace);
  void* of_identity = pieces.take<char>(cross_entropy_workspace<T>(in.logits.rows, 1));
  void* of_cmdc = pieces.take<char>(cmdc_loss_workspace<T>(in.features.rows, in.features.width));
  cross_entropy<T>(
      in.logits, {.smoothing = p.smoothing},
      {.value = out.values + 1, .gradient = out.logits_gradient, .scale = out.scale, .status = out.status},
      of_identity, stream);
  cmdc_loss<T>(in.features, in.modalities, in.learned, p.cmdc,
               {.value = out.values + 2,
                .gradient = out.features_gradient,
                .scale = out.scale * p.lambda,
                .status = out.status},
               of_cmdc, stream);
  launch<add_losses_kernel<C>>({.grid = 1, .block = 1, .stream = stream}, static_cast<C>(p.lambda),
                               out.values);
}

#define TYTO_INSTANTIATE(T)                                                                         \
  template int64_t identity_and_cmdc_loss_workspace<T>(int64_t, int64_t);                           \
  template void identity_and_cmdc_loss(const IdentityAndCmdcInputs<T>&, const IdentityAndCmdcLoss&, \
                                       const IdentityAndCmdcOutput<T>&, void*, Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
