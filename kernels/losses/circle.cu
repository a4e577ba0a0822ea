// Circle loss: a warp sums a row's exponentials, one block the rows' sums in order, and a warp turns a row of
// products into slopes; before and after stands the frame (pairwise_loss.h).
//
// Cost beside the frame's: half of the n^2 products read twice, n^2 slopes written, n^2 exponentials.
#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/losses/circle_math.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256, kWarps = kBlock / kWarp;

template <class C>
__device__ ExponentialSum<C> warp_join(ExponentialSum<C> mine) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    ExponentialSum<C> other;
    other.largest = __shfl_down_sync(kFullWarp, mine.largest, distance);
    other.sum = __shfl_down_sync(kFullWarp, mine.sum, distance);
    mine.join(other);
  }
  return mine;
}

template <class C>
__device__ CircleSums<C> warp_join(const CircleSums<C>& mine) {
  return {warp_join(mine.positive), warp_join(mine.negative)};
}

template <class C>
__global__ void __launch_bounds__(kBlock)
    circle_sums_kernel(const C* __restrict__ measures, const int32_t* __restrict__ labels, int n,
                       CirclePair<C> pair, C* __restrict__ rows) {
  const int i = static_cast<int>(blockIdx.x * kWarps + threadIdx.x / kWarp), lane = threadIdx.x % kWarp;
  if (i >= n) return;
  const int label = labels[i];
  CircleSums<C> sums;
  for (int j = i / kWarp * kWarp + lane; j < n; j += kWarp) {
    if (j <= i) continue;
    const bool same = labels[j] == label;
    const ExponentialSum<C> one{pair.logit(measures[static_cast<int64_t>(i) * n + j], same), 1};
    same ? sums.positive.join(one) : sums.negative.join(one);
  }
  sums = warp_join(sums);
  if (lane == 0) write(sums, i, n, rows);
}

template <class C>
__global__ void __launch_bounds__(kWarp)
    circle_totals_kernel(const C* __restrict__ rows, int n, C* totals, C* value) {
  CircleSums<C> sums;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += kWarp) sums.join(read(rows, i, n));
  sums = warp_join(sums);
  if (threadIdx.x != 0) return;
  const CircleTotals<C> t = circle_totals(sums);
  *value = totals[0] = t.value;
  totals[1] = t.positive_largest;
  totals[2] = t.negative_largest;
  totals[3] = t.positive_factor;
  totals[4] = t.negative_factor;
}

template <class C>
__global__ void __launch_bounds__(kBlock)
    circle_slopes_kernel(const C* __restrict__ measures, const int32_t* __restrict__ labels, int n,
                         CirclePair<C> pair, const C* __restrict__ totals, C* __restrict__ slopes) {
  const int i = static_cast<int>(blockIdx.x * kWarps + threadIdx.x / kWarp), lane = threadIdx.x % kWarp;
  if (i >= n) return;
  const int label = labels[i];
  const CircleTotals<C> t = {totals[0], totals[1], totals[2], totals[3], totals[4]};
  for (int j = lane; j < n; j += kWarp) {
    const int64_t at = static_cast<int64_t>(i) * n + j;
    C slope = 0;
    if (j > i) {
      const bool same = labels[j] == label;
      const C s = measures[at], largest = same ? t.positive_largest : t.negative_largest;
      slope = pair.slope(s, same) * exp_of(pair.logit(s, same) - largest) *
              (same ? t.positive_factor : t.negative_factor);
    }
    slopes[at] = slope;
  }
}

}  // namespace

template <class T>
int64_t circle_loss_workspace(int64_t rows, int64_t width) {
  Workspace measured;
  CircleMemory<Computed<T>>(measured, rows);
  return measured.bytes() + pairwise_loss_workspace<T>(rows, width);
}

template <class T>
void circle_loss(const LabelledRows<T>& in, const CircleLoss& options, const LossOutput<T>& out,
                 void* workspace, Stream stream) {
  using C = Computed<T>;
  Workspace lent(workspace);
  const CircleMemory<C> memory(lent, in.rows);
  const auto pairs = measure_pairs(in, {.measure = PairMeasure::Product}, lent, stream);
  const CirclePair<C> pair(options);
  const int n = checked_int(in.rows, "the rows of a loss");
  const LaunchConfig rows{.grid = blocks_for(n, kWarps), .block = kBlock, .stream = stream};
  launch<circle_sums_kernel<C>>(rows, pairs.measures, in.labels, n, pair, memory.rows);
  launch<circle_totals_kernel<C>>({.grid = 1, .block = kWarp, .stream = stream}, memory.rows, n,
                                  memory.totals, out.value);
  if (out.gradient != nullptr)
    launch<circle_slopes_kernel<C>>(rows, pairs.measures, in.labels, n, pair, memory.totals, pairs.slopes);
  finish_pairs(in, {.measure = PairMeasure::Product}, pairs, out, stream);
}

#define TYTO_INSTANTIATE(T)                                    \
  template int64_t circle_loss_workspace<T>(int64_t, int64_t); \
  template void circle_loss(const LabelledRows<T>&, const CircleLoss&, const LossOutput<T>&, void*, Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
