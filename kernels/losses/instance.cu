// Instance loss: an anchor loss (anchor_loss.cuh, where its cost stands). By identity, a warp finds for each
// row the first of its label, blocks add up the rows of each identity in order, and the gradient of its mean
// goes back to all of them.
//
// Cost by identity beside that: the features read twice and written twice, n^2 / 2 labels at most and, for
// each identity, n indices read from L2.
#include "kernels/losses/anchor_loss.cuh"
#include "kernels/losses/faults.cuh"
#include "kernels/losses/instance_math.h"

namespace tyto::kernels {
namespace {

__global__ void __launch_bounds__(kAnchorBlock)
    first_of_label_kernel(const int32_t* __restrict__ labels, int n, int32_t* __restrict__ first_of_label) {
  const int i = anchor_of_warp(), lane = threadIdx.x % kWarp;
  if (i >= n) return;
  const int32_t label = labels[i];
  for (int begin = 0; begin <= i; begin += kWarp) {
    const int j = begin + lane;
    const unsigned equal = __ballot_sync(kFullWarp, j < n && labels[j] == label);
    if (equal == 0) continue;
    if (lane == 0) first_of_label[i] = begin + __ffs(static_cast<int>(equal)) - 1;
    return;
  }
}

// Of columns by the grid's y.
template <class C>
__global__ void __launch_bounds__(kAnchorBlock)
    identity_means_kernel(const C* __restrict__ features, const int32_t* __restrict__ first_of_label, int n,
                          int64_t width, const LossStatus* __restrict__ found, int32_t* __restrict__ members,
                          C* __restrict__ means) {
  const int i = static_cast<int>(blockIdx.x);
  const int64_t column = static_cast<int64_t>(blockIdx.y) * kAnchorBlock + threadIdx.x;
  int32_t count = 0;
  C sum = 0;
  if (first_of_label[i] == i)
    for (int j = i; j < n; ++j) {
      if (first_of_label[j] != i) continue;
      ++count;
      if (column < width) sum += features[j * width + column];
    }
  if (blockIdx.y == 0 && threadIdx.x == 0) members[i] = count;
  if (column < width)
    means[i * width + column] = count == 0 || *found != 0 ? C{0} : sum / static_cast<C>(count);
}

template <class T>
__global__ void __launch_bounds__(kAnchorBlock)
    spread_gradients_kernel(const Computed<T>* __restrict__ gradients,
                            const int32_t* __restrict__ first_of_label, const int32_t* __restrict__ members,
                            int64_t width, T* __restrict__ to) {
  const int64_t i = blockIdx.x, column = static_cast<int64_t>(blockIdx.y) * kAnchorBlock + threadIdx.x;
  if (column >= width) return;
  const int64_t first = first_of_label[i];
  to[i * width + column] =
      rounded_to<T>(gradients[first * width + column] / static_cast<Computed<T>>(members[first]));
}

template <class T>
using Memory = AnchorMemory<InstanceRule<Computed<T>>, Computed<T>>;

template <class T>
void by_identity(const LabelledRows<T>& in, const InstanceLoss& options, const LossOutput<T>& out,
                 void* workspace, Stream stream) {
  using C = Computed<T>;
  Workspace lent(workspace);
  const IdentityMemory<C> m(lent, in.rows, in.width);
  const int n = checked_int(in.rows, "the rows of a loss");
  const LaunchConfig columns{.grid = dim3(static_cast<unsigned>(n), blocks_for(in.width, kAnchorBlock)),
                             .block = kAnchorBlock,
                             .stream = stream};
  clear_status(m.found, stream);
  load_rows<T>(in.values, in.rows, in.width, {.unit = false}, LossInput::Features, m.features, nullptr,
               m.found, stream);
  launch<first_of_label_kernel>(cover_anchors(n, stream), in.labels, n, m.first_of_label);
  launch<identity_means_kernel<C>>(columns, m.features, m.first_of_label, n, in.width, m.found, m.members,
                                   m.means);
  const LabelledRows<C> means{m.means, in.labels, in.rows, in.width};
  const Memory<T> anchors(lent, in.rows);
  const auto pairs = measure_pairs(means, instance_frame(options), lent, stream);
  finish_loss<C>(m.found, nullptr, 0, pairs.found, stream);
  anchor_step(InstanceRule<C>(options, m.first_of_label), pairs, anchors, in.labels, in.rows,
              out.gradient != nullptr, out.value, stream);
  finish_pairs(means, instance_frame(options), pairs,
               {.value = out.value,
                .gradient = out.gradient == nullptr ? nullptr : m.gradients,
                .scale = out.scale,
                .status = out.status},
               stream);
  if (out.gradient != nullptr)
    launch<spread_gradients_kernel<T>>(columns, m.gradients, m.first_of_label, m.members, in.width,
                                       out.gradient);
}

}  // namespace

template <class T>
int64_t instance_loss_workspace(int64_t rows, int64_t width, const InstanceLoss& options) {
  using C = Computed<T>;
  Workspace measured;
  if (options.by_identity) IdentityMemory<C>(measured, rows, width);
  return measured.bytes() + anchor_loss_workspace<InstanceRule<C>, C>(rows, width);
}

template <class T>
void instance_loss(const LabelledRows<T>& in, const InstanceLoss& options, const LossOutput<T>& out,
                   void* workspace, Stream stream) {
  if (options.by_identity)
    by_identity(in, options, out, workspace, stream);
  else
    anchor_loss(in, instance_frame(options), InstanceRule<Computed<T>>(options, nullptr), out, workspace,
                stream);
}

#define TYTO_INSTANTIATE(T)                                                                             \
  template int64_t instance_loss_workspace<T>(int64_t, int64_t, const InstanceLoss&);                   \
  template void instance_loss(const LabelledRows<T>&, const InstanceLoss&, const LossOutput<T>&, void*, \
                              Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
