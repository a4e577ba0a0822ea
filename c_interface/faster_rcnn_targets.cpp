// What Faster R-CNN's two stages learn from.
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

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_anchor_targets, tyto::c_interface::AnchorTargets)
TYTO_C_FUNCTIONS(tyto_proposal_targets, tyto::c_interface::ProposalTargets)
