// SSD's matching: which object of its image each prior (default box) should find, and by which offsets.
#pragma once

#include <array>

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// The annotated objects of a batch: image i has the first counts[i] of `capacity` places, or none.
template <class C>
struct ImageObjects {
  const C* boxes = nullptr;          // [batch, capacity, 4]  x1 y1 x2 y2, in the priors' unit
  const int32_t* classes = nullptr;  // [batch, capacity]
  const int32_t* counts = nullptr;   // [batch]  0 to capacity; null: every place is taken
  int64_t batch = 0, capacity = 0;
};

// The priors, the same for every image.
template <class C>
struct Priors {
  const C* boxes = nullptr;  // [count, 4]
  int64_t count = 0;
  bool corners = false;  // x1 y1 x2 y2 (torchvision, bubbliiiing); else centre, width, height (ssd.pytorch)
};

// Overlap is intersection over union; ties of it go to the lowest index.
enum class PriorMatch {
  // A prior belongs to the object that it overlaps most, if by no less than the threshold; then every object
  // takes the prior that overlaps it most, whatever the threshold, a later object from an earlier one:
  // ssd.pytorch's match(), torchvision's SSDMatcher.
  BestPrior,
  // A prior belongs to the object that it overlaps most, if by more than the threshold; an object that no
  // prior overlaps so takes the prior that overlaps it most, if at all, unless that overlaps one of its
  // other objects more (on a tie: an earlier one): bubbliiiing's assign_boxes().
  BestPriorOfUnmatched,
};

struct MatchPriors {
  double threshold = 0.5;
  std::array<double, 4> variance = {0.1, 0.1, 0.2, 0.2};  // of x, y, log width, log height
  PriorMatch rule = PriorMatch::BestPrior;
  int32_t first_label = 1;  // of class 0; torchvision's classes are labels already: 0
  int64_t classes = 0;      // labels end before it, as there are logits; 0: not checked
};

// What each prior should find.
//   labels   [batch, count]     class + first_label of its object; 0 is background
//   objects  [batch, count]     its object's place; -1 of none; may be null
//   targets  [batch, count, 4]  (centre of the object - of the prior) / side of the prior / variance,
//                               log(side of the object / of the prior) / variance; 0 of background; may be
//                               null
// An image without objects is background everywhere (the reference: the fork of ssd.pytorch, torchvision).
//
// Faults, joined to *status, which may be null. Rows are places: image * capacity + object.
//   Box        x2 <= x1 or y2 <= y1. Never NaN by decree: such an object overlaps nothing, so it takes prior
//              0 (under BestPriorOfUnmatched none) with a target of log 0 = -infinity, or NaN if turned over.
//   NotFinite  in Boxes: matches and targets say nothing.
//   Label      a label below 1 or beyond the classes: its priors have label -1; a count out of range, in
//              Boxes, is taken as the nearest that is in it.
template <class C>
struct MatchedPriors {
  int32_t *labels = nullptr, *objects = nullptr;
  C* targets = nullptr;
  LossStatus* status = nullptr;
};

// For C = double and float: boxes are not kept in halves. The bits of both are the same, but for the
// logarithms of double. workspace: match_priors_cpu_workspace() or match_priors_workspace() bytes; on CUDA
// boxes and targets are aligned to 4 C (16 or 32 bytes), batch * count and batch * capacity < 2^31.
template <class C>
void match_priors_cpu(const ImageObjects<C>&, const Priors<C>&, const MatchPriors&, const MatchedPriors<C>&,
                      void* workspace);
template <class C>
int64_t match_priors_cpu_workspace(int64_t batch, int64_t capacity, int64_t priors);

template <class C>
void match_priors(const ImageObjects<C>&, const Priors<C>&, const MatchPriors&, const MatchedPriors<C>&,
                  void* workspace, Stream);
template <class C>
int64_t match_priors_workspace(int64_t batch, int64_t capacity, int64_t priors);

}  // namespace tyto::kernels
