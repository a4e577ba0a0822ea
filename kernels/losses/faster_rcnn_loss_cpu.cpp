#include <algorithm>
#include <limits>

#include "kernels/common/host_elements.h"
#include "kernels/losses/faster_rcnn_loss_math.h"
#include "kernels/losses/feature_rows.h"

namespace tyto::kernels {
namespace {

template <class T>
FasterRcnnMemory<Computed<T>> memory_of(Workspace& workspace, int64_t anchors, int64_t rois) {
  return {workspace, anchors, rois,
          std::max(cross_entropy_cpu_workspace<T>(anchors, 1), cross_entropy_cpu_workspace<T>(rois, 1))};
}

// A block of rows: its sum and its gradient.
template <class T>
double locations_of_block(const StageLocations<T>& in, Computed<T> by, int64_t first, LossStatus& found) {
  using C = Computed<T>;
  constexpr C kNan = std::numeric_limits<C>::quiet_NaN();
  const int64_t width = 4 * in.slots, end = std::min(first + kStageRows, in.rows);
  double sum = 0;
  for (int64_t row = first; row < end; ++row) {
    const int32_t label = in.labels[row];
    if (in.gradient != nullptr)
      for (int64_t k = width * row; k < width * (row + 1); ++k)
        set_host_element(in.gradient, k, in.is_labelled(label) ? C{0} : kNan);
    if (label <= 0 || !in.is_labelled(label)) continue;
    const int64_t at = width * row + (in.slots == 1 ? 0 : 4 * label);
    C location[4], target[4];
    for (int k = 0; k < 4; ++k) {
      location[k] = host_element(in.locations, at + k);
      target[k] = in.targets[4 * row + k];
    }
    const auto four = smooth_four(location, target, in.squared_sigma);
    const LossStatus fault = smooth_fault(location, target, row);
    found = std::max(found, fault);
    sum += static_cast<double>(four.sum);
    if (in.gradient == nullptr) continue;
    for (int k = 0; k < 4; ++k)
      set_host_element(in.gradient, at + k, fault != 0 ? kNan : by * four.slopes[k]);
  }
  return sum;
}

// Returns the sum of a stage's locations.
template <class T>
double take_stage(const DetectionStage<T>& stage, const StageLocations<T>& in, T* logits_gradient,
                  Computed<T>* classes, StageSums& sums, double* blocks, void* entropy) {
  sums.found = 0;
  sums.counted = stage.rows - std::count(stage.labels, stage.labels + stage.rows, kIgnoredLabel);
  const auto by = static_cast<Computed<T>>(in.scale / static_cast<double>(sums.counted));
  LossStatus found = 0;
#pragma omp parallel for schedule(static) reduction(max : found)
  for (int64_t block = 0; block < stage_blocks(stage.rows); ++block)
    blocks[block] = locations_of_block(in, by, block * kStageRows, found);
  cross_entropy_cpu<T>(
      {stage.logits, stage.labels, stage.rows, stage.classes}, kStageEntropy,
      {.value = classes, .gradient = logits_gradient, .scale = in.scale, .status = &sums.found}, entropy);
  sums.found = std::max(sums.found, found);
  double sum = 0;
  for (int64_t block = 0; block < stage_blocks(stage.rows); ++block) sum += blocks[block];
  return sum;
}

}  // namespace

template <class T>
int64_t faster_rcnn_loss_cpu_workspace(int64_t anchors, int64_t rois) {
  Workspace measured;
  memory_of<T>(measured, anchors, rois);
  return measured.bytes();
}

template <class T>
void faster_rcnn_loss_cpu(const DetectionStage<T>& anchors, const DetectionStage<T>& rois,
                          const FasterRcnnLoss& loss, const FasterRcnnOutput<T>& out, void* workspace) {
  using C = Computed<T>;
  Workspace pieces(workspace);
  const auto m = memory_of<T>(pieces, anchors.rows, rois.rows);
  const double locations[] = {
      take_stage(anchors,
                 locations_of(anchors, false, loss.anchor_sigma, out.anchor_locations_gradient, out.scale),
                 out.anchor_logits_gradient, m.classes, m.stages[0], m.locations[0], m.entropy),
      take_stage(rois, locations_of(rois, true, loss.roi_sigma, out.roi_locations_gradient, out.scale),
                 out.roi_logits_gradient, m.classes + 1, m.stages[1], m.locations[1], m.entropy)};
  faster_rcnn_value(locations, m.stages, m.classes, out.value);
  const LossStatus found = faster_rcnn_status(m.stages, anchors.rows);
  finish_loss_cpu<C>(&found, out.value, kFasterRcnnTerms, out.status);
}

#define TYTO_INSTANTIATE(T)                                                                     \
  template void faster_rcnn_loss_cpu(const DetectionStage<T>&, const DetectionStage<T>&,        \
                                     const FasterRcnnLoss&, const FasterRcnnOutput<T>&, void*); \
  template int64_t faster_rcnn_loss_cpu_workspace<T>(int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
