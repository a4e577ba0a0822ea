// Cross entropy and its gradient: a warp or a block takes a row (kernels/common/row_reduce.cuh) and walks it
// for its largest logit, for the sum of exponentials and for the gradient, and with smoothed labels for the
// sum of logits; then one block takes the mean of the rows.
//
// Cost: logits are read once from memory and the gradient is written once, which bounds it; two exponentials
// an element. Eight rows of a warp's length are 32 KB at most, which stay in L1 from walk to walk.
#include "kernels/losses/cross_entropy.h"

#include "kernels/common/workspace.h"
#include "kernels/losses/cross_entropy.cuh"
#include "kernels/losses/feature_rows.h"
#include "kernels/losses/row_losses.h"

namespace tyto::kernels {
namespace {

struct Memory {
  LossStatus* found;
  unsigned long long* ignored;  // rows of the ignored label
  double* losses;               // [parts, blocks of a part]

  Memory(Workspace& workspace, int64_t rows)
      : found(workspace.take<LossStatus>(2)), ignored(found + 1), losses(workspace.take<double>(rows)) {}
};

__global__ void begin_cross_entropy_kernel(LossStatus* found, unsigned long long* ignored) {
  *found = 0;
  *ignored = 0;
}

__global__ void __launch_bounds__(kReduceBlock)
    count_ignored_kernel(const int32_t* __restrict__ labels, int64_t rows, int32_t ignored,
                         unsigned long long* count) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kReduceBlock + threadIdx.x;
  const unsigned of_warp = __ballot_sync(kFullWarp, row < rows && labels[row] == ignored);
  if (threadIdx.x % kWarp == 0 && of_warp != 0)
    atomicAdd(count, static_cast<unsigned long long>(__popc(of_warp)));
}

// A part of the grid's second dimension. gradient may be logits, whose elements are each read by the thread
// that writes them, the label's before.
template <class T, int kThreads>
__global__ void __launch_bounds__(kReduceBlock)
    cross_entropy_kernel(const T* logits, const int32_t* __restrict__ labels, int64_t rows, int classes,
                         SmoothedTarget<Computed<T>> target, bool ignores, int32_t ignored,
                         const unsigned long long* __restrict__ ignored_rows, Computed<T> scale, T* gradient,
                         double* __restrict__ losses, LossStatus* found) {
  using C = Computed<T>;
  TYTO_SHARED_ARRAY(C, partial, 3 * kReduceWarps);
  TYTO_SHARED_ARRAY(double, terms, kReduceWarps);
  const int64_t row = row_of_thread<kThreads>();
  const bool first = threadIdx.x % kThreads == 0;
  C loss = 0;
  if (row < rows) {
    const int64_t row_of_all = blockIdx.y * rows + row;
    logits += row_of_all * classes;
    if (gradient != nullptr) gradient += row_of_all * classes;
    const int32_t label = labels[row];
    const LabelUse use = use_of_label(label, classes, ignores, ignored);
    if (use == LabelUse::Counts) {
      const C counted = static_cast<C>(rows - static_cast<int64_t>(ignores ? *ignored_rows : 0));
      const C of_row = cross_entropy_row<kThreads>(
          classes, label, target, scale / counted, gradient != nullptr, partial,
          [&](int c) { return computed(logits[c]); }, [&](int c, C v) { gradient[c] = rounded_to<T>(v); });
      if (first && of_row != of_row) report(found, LossFault::NotFinite, LossInput::Logits, row_of_all);
      if (first) loss = of_row;
    } else {
      if (first && use == LabelUse::OutOfRange) report(found, LossFault::Label, LossInput::Labels, row);
      const T v = rounded_to<T>(use == LabelUse::Ignored ? C{0} : not_a_number<C>());
      if (gradient != nullptr) for_each_pack<1, kThreads>(classes, [&](int c) { gradient[c] = v; });
    }
  }
  store_block_sum<kThreads>(loss, terms, losses + blockIdx.y * gridDim.x + blockIdx.x);
}

}  // namespace

template <class T>
void cross_entropy(const LabelledRows<T>& in, const CrossEntropy& loss, const LossOutput<T>& out,
                   void* memory, Stream stream) {
  using C = Computed<T>;
  Workspace workspace(memory);
  const Memory m(workspace, loss.parts * in.rows);
  const int classes = checked_int(in.width, "the classes of cross entropy");
  const bool ignores = loss.ignored_label.has_value();
  const int32_t ignored = loss.ignored_label.value_or(0);
  launch<begin_cross_entropy_kernel>({.grid = 1, .block = 1, .stream = stream}, m.found, m.ignored);
  if (ignores)
    launch<count_ignored_kernel>(
        {.grid = blocks_for(in.rows, kReduceBlock), .block = kReduceBlock, .stream = stream}, in.labels,
        in.rows, ignored, m.ignored);
  int64_t blocks = 0;
  with_row_threads<1>(classes, [&]<int, int kThreads>() {
    LaunchConfig config = cover_reduced_rows<kThreads>(in.rows, stream);
    config.grid.y = static_cast<unsigned>(checked_int(loss.parts, "the parts of cross entropy"));
    const auto elements = static_cast<double>(loss.parts * in.rows * in.width);
    config.work = {.operations = 8 * elements, .exponentials = 2 * elements};
    blocks = static_cast<int64_t>(config.grid.x) * config.grid.y;
    launch<cross_entropy_kernel<T, kThreads>>(
        config, in.values, in.labels, in.rows, classes, SmoothedTarget<C>(loss.smoothing, classes), ignores,
        ignored, m.ignored, static_cast<C>(out.scale), out.gradient, m.losses, m.found);
  });
  mean_of_losses(m.losses, blocks, static_cast<double>(in.rows), m.ignored, out.value, stream);
  finish_loss(m.found, out.value, 1, out.status, stream);
}

template <class T>
int64_t cross_entropy_workspace(int64_t rows, int64_t parts) {
  Workspace workspace;
  const Memory measured(workspace, rows * parts);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(T)                                                                             \
  template void cross_entropy(const LabelledRows<T>&, const CrossEntropy&, const LossOutput<T>&, void*, \
                              Stream);                                                                  \
  template int64_t cross_entropy_workspace<T>(int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
