// Faster R-CNN's targets and losses.
#include "kernels/losses/faster_rcnn_loss.h"

#include "c_interface/frame.h"
#include "kernels/losses/anchor_targets.h"
#include "kernels/losses/proposal_targets.h"

namespace tyto::c_interface {
namespace {

struct AnchorTargets {
  using Desc = tyto_anchor_targets_desc;
  static constexpr const char* kName = "tyto_anchor_targets";
  static constexpr bool kRealsAlone = true;

  static Desc defaults() {
    const kernels::AnchorTargets targets;
    return {.samples = targets.samples,
            .positive_share = targets.positive_share,
            .positive_iou = targets.positive_iou,
            .negative_iou = targets.negative_iou};
  }
  static void check(const Desc& d, const Arguments& a) {
    a.size("batch", d.batch);
    a.size("anchors", d.anchors);
    a.size("capacity", d.capacity);
    a.below("anchors", {d.anchors});
    a.below("capacity", {d.capacity});
    a.below("batch * anchors", {d.batch, d.anchors});
    a.below("batch * capacity", {d.batch, d.capacity});
    a.reals("anchor_boxes", d.anchor_boxes, {d.anchors, 4}, 4);
    a.reals("boxes", d.boxes, {d.batch, d.capacity, 4}, 4);
    a.optional("box_counts", d.box_counts, {d.batch}, sizeof(int32_t));
    a.reals("image_sizes", d.image_sizes, {d.batch, 2});
    a.optional("priorities", d.priorities, {d.batch, d.anchors}, sizeof(uint32_t));
    a.integers("labels", d.labels, {d.batch, d.anchors});
    a.optional("locations", d.locations, {d.batch, d.anchors, 4}, a.real_bytes(), 4);
    a.status(d.status);
    a.size("samples", d.samples);
    a.number("positive_share", d.positive_share, 0, 1);
    a.number("positive_iou", d.positive_iou);
    a.number("negative_iou", d.negative_iou);
  }
  template <class C>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(anchor_targets, C, d.batch, d.capacity, d.anchors);
  }
  template <class C>
  static void run(const Desc& d, const Call& call) {
    const kernels::ImageObjects<C> objects{static_cast<const C*>(d.boxes), nullptr, d.box_counts, d.batch,
                                           d.capacity};
    const kernels::AnchorTargets targets{d.samples, d.positive_share, d.positive_iou, d.negative_iou};
    const kernels::SampleOrder order{d.priorities, d.seed};
    const kernels::TargetedAnchors<C> output{d.labels, static_cast<C*>(d.locations), call.status};
    TYTO_EITHER(anchor_targets, C, static_cast<const C*>(d.anchor_boxes), d.anchors, objects,
                static_cast<const C*>(d.image_sizes), targets, order, output);
  }
};

struct ProposalTargets {
  using Desc = tyto_proposal_targets_desc;
  static constexpr const char* kName = "tyto_proposal_targets";
  static constexpr bool kRealsAlone = true;

  static Desc defaults() {
    const kernels::ProposalTargets targets;
    Desc d{.region_stride = 4,
           .samples = targets.samples,
           .positive_share = targets.positive_share,
           .positive_iou = targets.positive_iou,
           .negative_below = targets.negative_below,
           .negative_from = targets.negative_from};
    std::copy(targets.mean.begin(), targets.mean.end(), d.mean);
    std::copy(targets.deviation.begin(), targets.deviation.end(), d.deviation);
    return d;
  }
  static void check(const Desc& d, const Arguments& a) {
    a.size("batch", d.batch);
    a.size("region_capacity", d.region_capacity);
    a.size("capacity", d.capacity);
    a.size("region_stride", d.region_stride, 4);
    a.size("samples", d.samples);
    if (d.device == TYTO_ON_CUDA) a.below("samples", {d.samples}, 1025);
    a.below("region_capacity", {d.region_capacity});
    a.below("capacity", {d.capacity});
    a.below("batch * (region_capacity + capacity)", {d.batch, d.region_capacity + d.capacity});
    a.below("batch * samples", {d.batch, d.samples});
    a.reals("regions", d.regions, {d.batch, d.region_capacity, d.region_stride},
            d.region_stride == 4 ? 4 : 1);
    a.optional("region_counts", d.region_counts, {d.batch}, sizeof(int32_t));
    a.reals("boxes", d.boxes, {d.batch, d.capacity, 4}, 4);
    a.integers("box_classes", d.box_classes, {d.batch, d.capacity});
    a.optional("box_counts", d.box_counts, {d.batch}, sizeof(int32_t));
    a.optional("priorities", d.priorities, {d.batch, d.region_capacity + d.capacity}, sizeof(uint32_t));
    a.reals("rois", d.rois, {d.batch, d.samples, 4}, 4);
    a.integers("labels", d.labels, {d.batch, d.samples});
    a.reals("locations", d.locations, {d.batch, d.samples, 4}, 4);
    a.integers("counts", d.counts, {d.batch});
    a.status(d.status);
    a.number("positive_share", d.positive_share, 0, 1);
    a.number("positive_iou", d.positive_iou);
    a.number("negative_below", d.negative_below);
    a.number("negative_from", d.negative_from);
    for (const double v : d.mean) a.number("mean", v);
    for (const double v : d.deviation) a.positive("deviation", v);
  }
  template <class C>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(proposal_targets, C, d.batch, d.region_capacity, d.capacity, d.samples);
  }
  template <class C>
  static void run(const Desc& d, const Call& call) {
    const kernels::ProposedRegions<C> regions{static_cast<const C*>(d.regions), d.region_stride,
                                              d.region_counts, d.region_capacity};
    const kernels::ImageObjects<C> objects{static_cast<const C*>(d.boxes), d.box_classes, d.box_counts,
                                           d.batch, d.capacity};
    const kernels::ProposalTargets targets{
        .samples = d.samples,
        .positive_share = d.positive_share,
        .positive_iou = d.positive_iou,
        .negative_below = d.negative_below,
        .negative_from = d.negative_from,
        .mean = {d.mean[0], d.mean[1], d.mean[2], d.mean[3]},
        .deviation = {d.deviation[0], d.deviation[1], d.deviation[2], d.deviation[3]}};
    const kernels::SampleOrder order{d.priorities, d.seed};
    const kernels::SampledRegions<C> output{static_cast<C*>(d.rois), d.labels, static_cast<C*>(d.locations),
                                            d.counts, call.status};
    TYTO_EITHER(proposal_targets, C, regions, objects, targets, order, output);
  }
};

struct FasterRcnnLoss {
  using Desc = tyto_faster_rcnn_loss_desc;
  static constexpr const char* kName = "tyto_faster_rcnn_loss";

  static Desc defaults() {
    const kernels::FasterRcnnLoss loss;
    return {.scale = 1, .anchor_sigma = loss.anchor_sigma, .roi_sigma = loss.roi_sigma};
  }
  static void check(const Desc& d, const Arguments& a) {
    a.size("anchors", d.anchors);
    a.size("rois", d.rois);
    a.size("classes", d.classes, 1);
    a.below("anchors", {d.anchors});
    a.below("classes", {d.classes});
    a.below("rois", {d.rois});
    a.below("rois * classes", {d.rois, d.classes});
    a.elements("anchor_locations", d.anchor_locations, {d.anchors, 4}, 4);
    a.elements("anchor_logits", d.anchor_logits, {d.anchors, 2});
    a.integers("anchor_labels", d.anchor_labels, {d.anchors});
    a.reals("anchor_targets", d.anchor_targets, {d.anchors, 4}, 4);
    a.elements("roi_locations", d.roi_locations, {d.rois, d.classes, 4}, 4);
    a.elements("roi_logits", d.roi_logits, {d.rois, d.classes});
    a.integers("roi_labels", d.roi_labels, {d.rois});
    a.reals("roi_targets", d.roi_targets, {d.rois, 4}, 4);
    a.outcome(d, kernels::kFasterRcnnTerms);
    a.gradient("anchor_locations_gradient", d.anchor_locations_gradient, {d.anchors, 4}, 4);
    a.gradient("anchor_logits_gradient", d.anchor_logits_gradient, {d.anchors, 2});
    a.gradient("roi_locations_gradient", d.roi_locations_gradient, {d.rois, d.classes, 4}, 4);
    a.gradient("roi_logits_gradient", d.roi_logits_gradient, {d.rois, d.classes});
    a.positive("anchor_sigma", d.anchor_sigma);
    a.positive("roi_sigma", d.roi_sigma);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(faster_rcnn_loss, T, d.anchors, d.rois);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    using C = kernels::Computed<T>;
    const kernels::DetectionStage<T> anchors{static_cast<const T*>(d.anchor_locations),
                                             static_cast<const T*>(d.anchor_logits),
                                             d.anchor_labels,
                                             static_cast<const C*>(d.anchor_targets),
                                             d.anchors,
                                             2};
    const kernels::DetectionStage<T> rois{static_cast<const T*>(d.roi_locations),
                                          static_cast<const T*>(d.roi_logits),
                                          d.roi_labels,
                                          static_cast<const C*>(d.roi_targets),
                                          d.rois,
                                          d.classes};
    const kernels::FasterRcnnLoss loss{d.anchor_sigma, d.roi_sigma};
    const kernels::FasterRcnnOutput<T> output{static_cast<C*>(d.value),
                                              static_cast<T*>(d.anchor_locations_gradient),
                                              static_cast<T*>(d.anchor_logits_gradient),
                                              static_cast<T*>(d.roi_locations_gradient),
                                              static_cast<T*>(d.roi_logits_gradient),
                                              d.scale,
                                              call.status};
    TYTO_EITHER(faster_rcnn_loss, T, anchors, rois, loss, output);
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_anchor_targets, tyto::c_interface::AnchorTargets)
TYTO_C_FUNCTIONS(tyto_proposal_targets, tyto::c_interface::ProposalTargets)
TYTO_C_FUNCTIONS(tyto_faster_rcnn_loss, tyto::c_interface::FasterRcnnLoss)
