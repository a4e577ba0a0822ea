#include "kernels/losses/anchor_loss_cpu.h"
#include "kernels/losses/batch_hard_triplet_math.h"

namespace tyto::kernels {

template <class T>
int64_t batch_hard_triplet_loss_cpu_workspace(int64_t rows, int64_t width) {
  return anchor_loss_cpu_workspace<BatchHardRule<Computed<T>>, T>(rows, width);
}

template <class T>
void batch_hard_triplet_loss_cpu(const LabelledRows<T>& in, const BatchHardTripletLoss& options,
                                 const LossOutput<T>& out, void* workspace) {
  anchor_loss_cpu(in, kBatchHardFrame, BatchHardRule<Computed<T>>(options), out, workspace);
}

#define TYTO_INSTANTIATE(T)                                                                      \
  template int64_t batch_hard_triplet_loss_cpu_workspace<T>(int64_t, int64_t);                   \
  template void batch_hard_triplet_loss_cpu(const LabelledRows<T>&, const BatchHardTripletLoss&, \
                                            const LossOutput<T>&, void*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
