// Regions for the second stage to learn from: chainercv's and simple-faster-rcnn-pytorch's
// ProposalTargetCreator, for a batch of images.
#pragma once

#include <array>

#include "kernels/losses/match_priors.h"
#include "kernels/losses/sample_order.h"

namespace tyto::kernels {

// What the first stage proposes: image i has the first counts[i] of `capacity` rows.
template <class C>
struct ProposedRegions {
  const C* rows = nullptr;          // [batch, capacity, stride]: x1 y1 x2 y2 first
  int stride = 4;                   // kDetectionRow of what nms() writes
  const int32_t* counts = nullptr;  // [batch]  0 to capacity; null: every row is taken
  int64_t capacity = 0;
};

// The objects' own boxes join the regions, behind them. A region whose best IoU with an object is at least
// positive_iou is positive: its label is the class of the first such object plus 1. One whose best IoU is
// less than negative_below and at least negative_from is negative: label 0, as are all without objects (their
// IoU is 0). Of the positive at most samples * positive_share are taken (rounded, half to even), of the
// negative as many as then are left of `samples`.
struct ProposalTargets {
  int samples = 128;
  double positive_share = 0.25;
  double positive_iou = 0.5, negative_below = 0.5, negative_from = 0;  // compared as C; py-faster-rcnn: 0.1
  std::array<double, 4> mean = {0, 0, 0, 0}, deviation = {0.1, 0.1, 0.2, 0.2};  // of y, x, logs of h, w
};

// Rows of an image: the positive, then the negative, each rising in the regions' order; from counts[image] on
// they are unused: zeros, with label -1.
//   rois       [batch, samples, 4]  x1 y1 x2 y2
//   labels     [batch, samples]
//   locations  [batch, samples, 4]  (chainercv's bbox2loc of the region to its object - mean) / deviation, of
//                                   the negative too; zeros without objects
//   counts     [batch]
// An IoU that is no number (of two boxes without area) counts as 0.
//
// Faults, joined to *status, which may be null. Rows are batch * capacity + object or region.
//   Box        an object with x2 <= x1 or y2 <= y1: log 0 is -infinity, as there.
//   NotFinite  in Boxes or Rois: count 0, every label kNoLabel, NaN in rois and locations.
//   Label      in Labels: a class below 0, as NotFinite. In Boxes or Rois: a count out of range, taken as the
//              nearest that is in it.
template <class C>
struct SampledRegions {
  C* rois = nullptr;
  int32_t* labels = nullptr;
  C* locations = nullptr;
  int32_t* counts = nullptr;
  LossStatus* status = nullptr;
};

// For C = double and float. The bits of both are the same, but for the logarithms of double.
// order: its priorities [batch, regions.capacity + objects.capacity], of region i at i, of object j at
// regions.capacity + j.
// workspace: proposal_targets_cpu_workspace() or proposal_targets_workspace() bytes; on CUDA
// boxes, rows (if the stride is 4), rois and locations are aligned to 4 C (16 or 32 bytes), samples at most
// 1024, batch * (both capacities) < 2^31.
template <class C>
void proposal_targets_cpu(const ProposedRegions<C>& regions, const ImageObjects<C>& objects,
                          const ProposalTargets&, const SampleOrder&, const SampledRegions<C>&,
                          void* workspace);
template <class C>
int64_t proposal_targets_cpu_workspace(int64_t batch, int64_t regions_capacity, int64_t objects_capacity,
                                       int samples);

template <class C>
void proposal_targets(const ProposedRegions<C>& regions, const ImageObjects<C>& objects,
                      const ProposalTargets&, const SampleOrder&, const SampledRegions<C>&, void* workspace,
                      Stream);
template <class C>
int64_t proposal_targets_workspace(int64_t batch, int64_t regions_capacity, int64_t objects_capacity,
                                   int samples);

}  // namespace tyto::kernels
