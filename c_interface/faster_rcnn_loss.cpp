#include "kernels/losses/faster_rcnn_loss.h"

#include "c_interface/frame.h"

namespace tyto::c_interface {
namespace {

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

TYTO_C_FUNCTIONS(tyto_faster_rcnn_loss, tyto::c_interface::FasterRcnnLoss)
