#include "kernels/losses/anchor_loss_cpu.h"
#include "kernels/losses/weighted_regularized_triplet_math.h"

namespace tyto::kernels {

template <class T>
int64_t weighted_regularized_triplet_loss_cpu_workspace(int64_t rows, int64_t width) {
  return anchor_loss_cpu_workspace<WeightedRegularizedRule<Computed<T>>, T>(rows, width);
}

template <class T>
void weighted_regularized_triplet_loss_cpu(const LabelledRows<T>& in, const WeightedRegularizedTripletLoss&,
                                           const LossOutput<T>& out, void* workspace) {
  anchor_loss_cpu(in, kBatchHardFrame, WeightedRegularizedRule<Computed<T>>{}, out, workspace);
}

#define TYTO_INSTANTIATE(T)                                                              \
  template int64_t weighted_regularized_triplet_loss_cpu_workspace<T>(int64_t, int64_t); \
  template void weighted_regularized_triplet_loss_cpu(                                   \
      const LabelledRows<T>&, const WeightedRegularizedTripletLoss&, const LossOutput<T>&, void*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
