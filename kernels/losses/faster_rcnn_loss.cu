// The losses of Faster R-CNN on CUDA: a block counts a stage's rows; then a thread takes four coordinates of
// a row's location and their gradient, the label's or not, a block 128 rows; cross_entropy takes the logits.
//
// Cost: gradients as large as the predictions are written, 4 bytes of label a row are read a few times, and
// little of the predictions. Bound by memory, and for one image by the six launches.
#include "kernels/losses/faster_rcnn_loss.h"

#include <algorithm>

#include "kernels/common/launch.h"
#include "kernels/common/row_reduce.cuh"
#include "kernels/losses/faster_rcnn_loss_math.h"
#include "kernels/losses/faults.cuh"
#include "kernels/losses/feature_rows.h"
#include "kernels/losses/regions.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = kReduceBlock;

template <class T>
FasterRcnnMemory<Computed<T>> memory_of(Workspace& workspace, int64_t anchors, int64_t rois) {
  return {workspace, anchors, rois,
          std::max(cross_entropy_workspace<T>(anchors, 1), cross_entropy_workspace<T>(rois, 1))};
}

struct Labels {
  const int32_t* of[2];
  int64_t rows[2];
};

__global__ void __launch_bounds__(kBlock)
    count_samples_kernel(Labels labels, StageSums* __restrict__ stages) {
  TYTO_SHARED_ARRAY(int, partial, kReduceWarps);
  const int stage = blockIdx.x;
  const int32_t* __restrict__ of = labels.of[stage];
  int count = 0;
  for (int64_t i = threadIdx.x; i < labels.rows[stage]; i += kBlock) count += of[i] != kIgnoredLabel ? 1 : 0;
  count = row_reduce<Plus, kBlock>(count, partial);
  if (threadIdx.x == 0) stages[stage] = {0, count};
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    stage_locations_kernel(StageLocations<T> in, StageSums* __restrict__ stage, double* __restrict__ sums) {
  using C = Computed<T>;
  using Four = Pack<T, 4>;
  TYTO_SHARED_ARRAY(double, partial, kReduceWarps);
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kStageRows * in.slots;
  const int64_t end = std::min(first + kStageRows * in.slots, in.rows * in.slots);
  const C by = static_cast<C>(in.scale / static_cast<double>(stage->counted));
  double sum = 0;
  for (int64_t i = first + threadIdx.x; i < end; i += kBlock) {
    const int64_t row = i / in.slots;
    const int32_t label = in.labels[row];
    C gradient[4] = {};
    LossStatus fault = 0;
    if (!in.is_labelled(label)) {
      fault = loss_status(LossFault::Label, LossInput::Labels, row);
    } else if (in.is_slot_of(label, i % in.slots)) {
      Four of_location;
      copy_pack(reinterpret_cast<const Four*>(in.locations)[i], of_location);
      Pack<C, 4> of_target;
      copy_pack(reinterpret_cast<const Pack<C, 4>*>(in.targets)[row], of_target);
      C location[4], target[4];
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        location[k] = computed(of_location.values[k]);
        target[k] = of_target.values[k];
      }
      const auto four = smooth_four(location, target, in.squared_sigma);
      fault = smooth_fault(location, target, row);
      sum += static_cast<double>(four.sum);
#pragma unroll
      for (int k = 0; k < 4; ++k) gradient[k] = by * four.slopes[k];
    }
    if (fault != 0) atomicMax(&stage->found, fault);
    if (in.gradient == nullptr) continue;
    Four to;
#pragma unroll
    for (int k = 0; k < 4; ++k) to.values[k] = rounded_to<T>(fault != 0 ? not_a_number<C>() : gradient[k]);
    copy_pack(to, reinterpret_cast<Four*>(in.gradient)[i]);
  }
  sum = row_reduce<Plus, kBlock>(sum, partial);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

template <class C>
__global__ void __launch_bounds__(2 * kWarp)
    finish_faster_rcnn_kernel(const StageSums* __restrict__ stages, const double* __restrict__ of_anchors,
                              int64_t anchor_blocks, const double* __restrict__ of_rois, int64_t roi_blocks,
                              const C* __restrict__ classes, int64_t anchors, C* __restrict__ value,
                              LossStatus* status) {
  TYTO_SHARED_ARRAY(double, locations, 2);
  const int stage = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const double* sums = stage == 0 ? of_anchors : of_rois;
  const int64_t blocks = stage == 0 ? anchor_blocks : roi_blocks;
  double sum = 0;
  for (int64_t i = lane; i < blocks; i += kWarp) sum += sums[i];
  sum = warp_sum(sum);
  if (lane == 0) locations[stage] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  const double both[2] = {locations[0], locations[1]};
  faster_rcnn_value(both, stages, classes, value);
  const LossStatus found = faster_rcnn_status(stages, anchors);
  if (found == 0) return;
  for (int i = 0; i < kFasterRcnnTerms; ++i) value[i] = not_a_number<C>();
  if (status != nullptr) atomicMax(status, found);
}

template <class T>
void take_stage(const DetectionStage<T>& stage, const StageLocations<T>& in, T* logits_gradient,
                Computed<T>* classes, StageSums* sums, double* blocks, void* entropy, Stream stream) {
  checked_int(stage.rows * stage.classes, "the logits of a stage");
  launch<stage_locations_kernel<T>>(
      {.grid = blocks_for(stage.rows, kStageRows), .block = kBlock, .stream = stream}, in, sums, blocks);
  cross_entropy<T>({stage.logits, stage.labels, stage.rows, stage.classes}, kStageEntropy,
                   {.value = classes, .gradient = logits_gradient, .scale = in.scale, .status = &sums->found},
                   entropy, stream);
}

}  // namespace

template <class T>
int64_t faster_rcnn_loss_workspace(int64_t anchors, int64_t rois) {
  Workspace measured;
  memory_of<T>(measured, anchors, rois);
  return measured.bytes();
}

template <class T>
void faster_rcnn_loss(const DetectionStage<T>& anchors, const DetectionStage<T>& rois,
                      const FasterRcnnLoss& loss, const FasterRcnnOutput<T>& out, void* workspace,
                      Stream stream) {
  using C = Computed<T>;
  Workspace pieces(workspace);
  const auto m = memory_of<T>(pieces, anchors.rows, rois.rows);
  launch<count_samples_kernel>({.grid = 2, .block = kBlock, .stream = stream},
                               Labels{{anchors.labels, rois.labels}, {anchors.rows, rois.rows}}, m.stages);
  take_stage(anchors,
             locations_of(anchors, false, loss.anchor_sigma, out.anchor_locations_gradient, out.scale),
             out.anchor_logits_gradient, m.classes, m.stages, m.locations[0], m.entropy, stream);
  take_stage(rois, locations_of(rois, true, loss.roi_sigma, out.roi_locations_gradient, out.scale),
             out.roi_logits_gradient, m.classes + 1, m.stages + 1, m.locations[1], m.entropy, stream);
  launch<finish_faster_rcnn_kernel<C>>(
      {.grid = 1, .block = 2 * kWarp, .stream = stream}, m.stages, m.locations[0], stage_blocks(anchors.rows),
      m.locations[1], stage_blocks(rois.rows), m.classes, anchors.rows, out.value, out.status);
}

#define TYTO_INSTANTIATE(T)                                                                                 \
  template void faster_rcnn_loss(const DetectionStage<T>&, const DetectionStage<T>&, const FasterRcnnLoss&, \
                                 const FasterRcnnOutput<T>&, void*, Stream);                                \
  template int64_t faster_rcnn_loss_workspace<T>(int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
