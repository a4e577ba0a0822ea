#include "kernels/common/workspace.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/identity_and_cmdc.h"

namespace tyto::kernels {

template <class T>
int64_t identity_and_cmdc_loss_cpu_workspace(int64_t rows, int64_t width) {
  Workspace measured;
  measured.take<char>(cross_entropy_cpu_workspace<T>(rows, 1));
  measured.take<char>(cmdc_loss_cpu_workspace<T>(rows, width));
  return measured.bytes();
}

template <class T>
void identity_and_cmdc_loss_cpu(const IdentityAndCmdcInputs<T>& in, const IdentityAndCmdcLoss& p,
                                const IdentityAndCmdcOutput<T>& out, void* workspace) {
  using C = Computed<T>;
  Workspace pieces(workspace);
  void* of_identity = pieces.take<char>(cross_entropy_cpu_workspace<T>(in.logits.rows, 1));
  void* of_cmdc = pieces.take<char>(cmdc_loss_cpu_workspace<T>(in.features.rows, in.features.width));
  cross_entropy_cpu<T>(
      in.logits, {.smoothing = p.smoothing},
      {.value = out.values + 1, .gradient = out.logits_gradient, .scale = out.scale, .status = out.status},
      of_identity);
  cmdc_loss_cpu<T>(in.features, in.modalities, in.learned, p.cmdc,
                   {.value = out.values + 2,
                    .gradient = out.features_gradient,
                    .scale = out.scale * p.lambda,
                    .status = out.status},
                   of_cmdc);
  out.values[0] = out.values[1] + static_cast<C>(p.lambda) * out.values[2];
}

#define TYTO_INSTANTIATE(T)                                                                             \
  template int64_t identity_and_cmdc_loss_cpu_workspace<T>(int64_t, int64_t);                           \
  template void identity_and_cmdc_loss_cpu(const IdentityAndCmdcInputs<T>&, const IdentityAndCmdcLoss&, \
                                           const IdentityAndCmdcOutput<T>&, void*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
