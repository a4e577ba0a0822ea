// What a region proposal network should say of its anchors: chainercv's and simple-faster-rcnn-pytorch's
// AnchorTargetCreator, for a batch of images.
#pragma once

#include "kernels/losses/match_priors.h"
#include "kernels/losses/sample_order.h"

namespace tyto::kernels {

// An anchor within the image (0 <= x1, x2 <= width, and so y) is
//   positive (1) where its IoU with some object equals the best that this object has with any anchor within
//     the image, or where its own best IoU is at least positive_iou. An object that meets no anchor has the
//     best IoU 0, and so makes every anchor positive that does not meet it: inherited;
//   else negative (0) where its best IoU is less than negative_iou, as all are without objects;
//   else ignored (-1), as are all anchors that are not within the image.
// Of the positive at most samples * positive_share stay (rounded down), of the negative as many as then are
// left of `samples`; the others are ignored.
struct AnchorTargets {
  int samples = 256;
  double positive_share = 0.5;
  double positive_iou = 0.7, negative_iou = 0.3;  // compared as C
};

//   labels     [batch, anchors]     1, 0, -1 or kNoLabel
//   locations  [batch, anchors, 4]  chainercv's bbox2loc (y, x, log height, log width, of no variance) from
//                                   every anchor within the image, sampled or not, to the first of the
//                                   objects with its best IoU; zeros elsewhere and without objects; may be
//                                   null
// An IoU that is no number (of two boxes without area) counts as 0. An anchor that is not finite is not
// within the image.
//
// Faults, joined to *status, which may be null. Rows are batch * capacity + object.
//   Box        x2 <= x1 or y2 <= y1: such an object meets no anchor, and log 0 is -infinity, as there.
//   NotFinite  in Boxes: the labels of the image are kNoLabel, its locations NaN.
//   Label      in Boxes: a count out of range, taken as the nearest that is in it.
template <class C>
struct TargetedAnchors {
  int32_t* labels = nullptr;
  C* locations = nullptr;
  LossStatus* status = nullptr;
};

// For C = double and float. The bits of both are the same, but for the logarithms of double.
// anchors    [count, 4]      x1 y1 x2 y2, the same for every image
// objects                    its classes are not looked at
// sizes      [batch, 2]      height and width of each image, in the anchors' unit
// order      its priorities [batch, count]
// workspace: anchor_targets_cpu_workspace() or anchor_targets_workspace() bytes; on CUDA
// boxes and locations are aligned to 4 C (16 or 32 bytes), batch * count and batch * capacity < 2^31.
template <class C>
void anchor_targets_cpu(const C* anchors, int64_t count, const ImageObjects<C>& objects, const C* sizes,
                        const AnchorTargets&, const SampleOrder&, const TargetedAnchors<C>&, void* workspace);
template <class C>
int64_t anchor_targets_cpu_workspace(int64_t batch, int64_t capacity, int64_t count);

template <class C>
void anchor_targets(const C* anchors, int64_t count, const ImageObjects<C>& objects, const C* sizes,
                    const AnchorTargets&, const SampleOrder&, const TargetedAnchors<C>&, void* workspace,
                    Stream);
template <class C>
int64_t anchor_targets_workspace(int64_t batch, int64_t capacity, int64_t count);

}  // namespace tyto::kernels
