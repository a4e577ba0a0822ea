#include "kernels/losses/anchor_loss_cpu.h"
#include "kernels/losses/lifted_math.h"

namespace tyto::kernels {

template <class T>
int64_t lifted_loss_cpu_workspace(int64_t rows, int64_t width) {
  return anchor_loss_cpu_workspace<LiftedRule<Computed<T>>, T>(rows, width);
}

template <class T>
void lifted_loss_cpu(const LabelledRows<T>& in, const LiftedLoss& options, const LossOutput<T>& out,
                     void* workspace) {
  anchor_loss_cpu(in, kLiftedFrame, LiftedRule<Computed<T>>(options), out, workspace);
}

#define TYTO_INSTANTIATE(T)                                        \
  template int64_t lifted_loss_cpu_workspace<T>(int64_t, int64_t); \
  template void lifted_loss_cpu(const LabelledRows<T>&, const LiftedLoss&, const LossOutput<T>&, void*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
