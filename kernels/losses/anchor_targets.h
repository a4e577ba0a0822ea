// What a region proposal network shall say of its anchors: chainercv's and simple-faster-rcnn-pytorch's
// AnchorTargetCreator, for a batch of images.
#pragma once

#include "kernels/losses/ground_truth.h"
#include "kernels/losses/loss_status.h"
#include "kernels/losses/sample_order.h"

#include "kernels/common/stream.h"

namespace tyto::kernels {

// An anchor within the image (0 <= x1, x2 <= width, and so y) is
//   positive (1) where its IoU with some object equals the best that this object has with any anchor within
//     the image, or where its own best IoU is at least positive_iou. An object that meets no anchor has the
//     best IoU 0, and so makes every anchor positive that does not meet it: inherited;
//   else negative (0) where its best IoU is less than negative_iou, as all are without objects;
//   else ignored (-1), as are all anchors that are not within the image.
// Of the positive at most samples * positive_share stay (rounded down), of the negative as many as then are
// left of `samples`; the rest are ignored.
struct AnchorTargets {
  int samples = 256;
  double positive_share = 0.5;
  float positive_iou = 0.7f, negative_iou = 0.3f;
};

// locations: chainercv's bbox2loc (y, x, log height, log width; no variances) from every anchor within the
// image, sampled or not, to the first of the objects with its best IoU; zeros elsewhere and without objects.
// An object that is not finite or has no width or height joins *status (Boxes, row image * capacity +
// object): all labels of its image are then kNoLabel, which no loss takes, and all locations NaN. The status
// word may be null.
inline constexpr int32_t kNoLabel = INT32_MIN;

// anchors    [anchors, 4]          x1, y1, x2, y2; not finite: not within any image
// objects                          without labels
// sizes      [images, 2]           height and width of each image, in the anchors' unit
// order      priorities [images, anchors]
// labels     [images, anchors]     1, 0, -1 or kNoLabel
// locations  [images, anchors, 4]
// workspace: anchor_targets_cpu_workspace() or anchor_targets_workspace() bytes, aligned to 256.
void anchor_targets_cpu(const float* anchors, int64_t count, const GroundTruth& objects, const float* sizes,
                        const AnchorTargets&, const SampleOrder&, int32_t* labels, float* locations,
                        LossStatus* status, void* workspace);
int64_t anchor_targets_cpu_workspace(int64_t anchors, int64_t images, int64_t capacity);

// The same bits. Device pointers, anchors, boxes and locations aligned to 16 bytes; images * anchors < 2^31.
void anchor_targets(const float* anchors, int64_t count, const GroundTruth& objects, const float* sizes,
                    const AnchorTargets&, const SampleOrder&, int32_t* labels, float* locations,
                    LossStatus* status, void* workspace, Stream);
int64_t anchor_targets_workspace(int64_t anchors, int64_t images, int64_t capacity);

}  // namespace tyto::kernels
