// Regions for the second stage to learn from: chainercv's and simple-faster-rcnn-pytorch's
// ProposalTargetCreator, for a batch of images.
#pragma once

#include <array>

#include "kernels/common/stream.h"
#include "kernels/detection/rois.h"
#include "kernels/losses/ground_truth.h"
#include "kernels/losses/loss_status.h"
#include "kernels/losses/sample_order.h"

namespace tyto::kernels {

// The objects' own boxes join the regions, behind them. A region whose best IoU with an object is at least
// positive_iou is positive: its class is that of the first such object plus 1. One whose best IoU is less
// than negative_below and at least negative_from is negative: class 0, as are all without objects (their IoU
// is 0). Of the positive at most samples * positive_share are taken (rounded, half to even), of the negative
// as many as then are left of `samples`.
struct ProposalTargets {
  int samples = 128;
  double positive_share = 0.25;
  float positive_iou = 0.5f;
  float negative_below = 0.5f, negative_from = 0;  // py-faster-rcnn: from 0.1
  std::array<float, 4> mean = {0, 0, 0, 0};        // of y, x, log height, log width
  std::array<float, 4> deviation = {0.1f, 0.1f, 0.2f, 0.2f};
};

// Rows of an image: the positive, then the negative, each rising in the regions' order; from counts[image] on
// they are unused: zeros, with label -1. regions 0 to 2^31.
struct SampledProposals {
  float* rois = nullptr;       // [images, samples, 4]: x1, y1, x2, y2
  int32_t* labels = nullptr;   // [images, samples]: class + 1, 0 for background, -1 for an unused row
  float* locations = nullptr;  // [images, samples, 4]: (bbox2loc(region, its object) - mean) / deviation,
                               // also of the negative; zeros without objects
  int32_t* counts = nullptr;  // [images]
};

// rois     n: the images; capacity regions each
// objects  with labels
// order    priorities [images, rois.capacity + objects.capacity]: of regions, then of objects
// A region that is not finite (Rois, row image * capacity + region), an object that is not finite or has no
// width or height (Boxes) or a label below 0 (Labels, both row image * capacity + object) joins *status,
// which may be null: its image has then count 0, all labels kNoLabel (anchor_targets.h), which no loss takes,
// and NaN as rois and locations. The workspace is proposal_targets_cpu_workspace() or
// proposal_targets_workspace() bytes, aligned to 256.
void proposal_targets_cpu(const Rois& rois, const GroundTruth& objects, const ProposalTargets&,
                          const SampleOrder&, const SampledProposals&, LossStatus* status, void* workspace);
int64_t proposal_targets_cpu_workspace(int64_t images, int64_t rois_capacity, int64_t objects_capacity,
                                       int samples);

// The same bits. Device pointers, boxes, rois (rows and samples) and locations aligned to 16 bytes; samples
// at most 1024; images * (capacity of rois + capacity of objects) < 2^31.
void proposal_targets(const Rois& rois, const GroundTruth& objects, const ProposalTargets&,
                      const SampleOrder&, const SampledProposals&, LossStatus* status, void* workspace,
                      Stream);
int64_t proposal_targets_workspace(int64_t images, int64_t rois_capacity, int64_t objects_capacity,
                                   int samples);

}  // namespace tyto::kernels
