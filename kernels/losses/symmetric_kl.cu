// The symmetric divergence of two views and its gradients: a warp or a block takes a row
// (kernels/common/row_reduce.cuh) and walks it for the largest logits, for the sums of exponentials, for the
// divergences and for the gradients; then one block takes the mean of the rows.
//
// Cost: logits are read once from memory and gradients are written once, which bounds it; six exponentials a
// class.
#include "kernels/losses/symmetric_kl.h"

#include "kernels/common/workspace.h"
#include "kernels/losses/feature_rows.h"
#include "kernels/losses/row_losses.h"
#include "kernels/losses/softmax_row.cuh"
#include "kernels/losses/symmetric_kl_math.h"

namespace tyto::kernels {
namespace {

struct Memory {
  LossStatus* found;
  double* losses;  // [blocks]

  Memory(Workspace& workspace, int64_t rows)
      : found(workspace.take<LossStatus>(1)), losses(workspace.take<double>(rows)) {}
};

// KL(p || q) + KL(q || p) of a row to all its threads, and by * its gradients, which may be null. partial:
// shared, [6 * kReduceWarps].
template <int kThreads, class T>
__device__ inline Computed<T> divergence_of_row(const T* __restrict__ first, const T* __restrict__ second,
                                                int classes, Computed<T> by, T* first_gradient,
                                                T* second_gradient, Computed<T>* partial, LossStatus* found,
                                                int64_t row) {
  using C = Computed<T>;
  const auto of_first = [&](int c) { return computed(first[c]); };
  const auto of_second = [&](int c) { return computed(second[c]); };
  const C largest = largest_logit<kThreads>(classes, of_first, partial);
  const C other = largest_logit<kThreads>(classes, of_second, partial + kReduceWarps);
  if (threadIdx.x % kThreads == 0 && (largest != largest || other != other))
    report(found, LossFault::NotFinite, largest != largest ? LossInput::Logits : LossInput::TeacherLogits,
           row);
  const ViewRow<C> views(
      largest, sum_of_exponentials<kThreads>(classes, largest, of_first, partial + 2 * kReduceWarps), other,
      sum_of_exponentials<kThreads>(classes, other, of_second, partial + 3 * kReduceWarps));
  C both = 0, p_to_q = 0;
  for_each_pack<1, kThreads>(classes, [&](int c) {
    const ViewShares<C> s = views.shares(of_first(c), of_second(c));
    both += s.both();
    p_to_q += s.p * s.r;
  });
  both = row_reduce<Plus, kThreads>(both, partial + 4 * kReduceWarps);
  if (first_gradient == nullptr && second_gradient == nullptr) return both;
  p_to_q = row_reduce<Plus, kThreads>(p_to_q, partial + 5 * kReduceWarps);
  for_each_pack<1, kThreads>(classes, [&](int c) {
    const ViewShares<C> s = views.shares(of_first(c), of_second(c));
    if (first_gradient != nullptr) first_gradient[c] = rounded_to<T>(by * s.first_slope(p_to_q));
    if (second_gradient != nullptr) second_gradient[c] = rounded_to<T>(by * s.second_slope(both - p_to_q));
  });
  return both;
}

template <class T, int kThreads>
__global__ void __launch_bounds__(kReduceBlock)
    symmetric_kl_kernel(TwoViews<T> in, int classes, Computed<T> by, T* gradient, double* __restrict__ losses,
                        LossStatus* found) {
  using C = Computed<T>;
  TYTO_SHARED_ARRAY(C, partial, 6 * kReduceWarps);
  TYTO_SHARED_ARRAY(double, terms, kReduceWarps);
  const int64_t row = row_of_thread<kThreads>(), at = row * classes;
  C loss = 0;
  if (row < in.rows) {
    const C both = divergence_of_row<kThreads>(
        in.first + at, in.second + at, classes, by, gradient == nullptr ? nullptr : gradient + at,
        in.second_gradient == nullptr ? nullptr : in.second_gradient + at, partial, found, row);
    if (threadIdx.x % kThreads == 0) loss = both;
  }
  store_block_sum<kThreads>(loss, terms, losses + blockIdx.x);
}

}  // namespace

template <class T>
void symmetric_kl(const TwoViews<T>& in, const LossOutput<T>& out, void* memory, Stream stream) {
  using C = Computed<T>;
  Workspace workspace(memory);
  const Memory m(workspace, in.rows);
  const int classes = checked_int(in.classes, "the classes of a view");
  const double divisor = 2 * static_cast<double>(in.rows);
  clear_status(m.found, stream);
  int64_t blocks = 0;
  with_row_threads<1>(classes, [&]<int, int kThreads>() {
    LaunchConfig config = cover_reduced_rows<kThreads>(in.rows, stream);
    const auto elements = static_cast<double>(in.rows * in.classes);
    config.work = {.operations = 40 * elements, .exponentials = 6 * elements};
    blocks = config.grid.x;
    launch<symmetric_kl_kernel<T, kThreads>>(config, in, classes, static_cast<C>(out.scale / divisor),
                                             out.gradient, m.losses, m.found);
  });
  mean_of_losses(m.losses, blocks, divisor, nullptr, out.value, stream);
  finish_loss(m.found, out.value, 1, out.status, stream);
}

template <class T>
int64_t symmetric_kl_workspace(int64_t rows) {
  Workspace workspace;
  const Memory measured(workspace, rows);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(T)                                                            \
  template void symmetric_kl(const TwoViews<T>&, const LossOutput<T>&, void*, Stream); \
  template int64_t symmetric_kl_workspace<T>(int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
