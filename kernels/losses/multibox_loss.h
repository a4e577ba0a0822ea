// SSD's MultiBox loss (Liu et al., ECCV 2016) of a whole batch: matching, hard negative mining, smooth L1 of
// the positives' locations, cross entropy of the positives and the mined negatives.
#pragma once

#include "kernels/losses/match_priors.h"
#include "kernels/losses/mine_negatives.h"

namespace tyto::kernels {

// By what both terms are divided.
enum class MultiboxNormalizer {
  Positives,              // of the whole batch: ssd.pytorch; a batch without any is 0 / 0, NaN
  PositivesOrOne,         // max(that, 1): the fork, torchvision
  PositivesOrOneAnImage,  // sum over images of max(positives, 1): bubbliiiing
};

// location   = sum over positives of smooth L1, d^2 / 2 where |d| < 1 and |d| - 1/2 beyond, of four d =
//              location - target
// confidence = sum over selected rows of weight * -log max(softmax(logits)[label], least_probability)
// A row that is both positive and mined has weight 1 under Mining::SsdPytorch and 2 under the other two, as
// these add up two lists. bubbliiiing's loss is the sum of both terms.
struct MultiboxLoss {
  MatchPriors match;  // its `classes` is not looked at
  MineNegatives mine;
  MultiboxNormalizer normalizer = MultiboxNormalizer::Positives;
  double least_probability = 0;  // no gradient below; bubbliiiing 1e-7
};

// The options of ssd.pytorch, its fork of the distillation article, bubbliiiing/ssd-pytorch and torchvision.
// The priors' form is said with the priors: centres for the first two, corners for the others.
enum class MultiboxReference { SsdPytorch, Fork, Bubbliiiing, Torchvision };
inline MultiboxLoss multibox_as(MultiboxReference reference) {
  MultiboxLoss loss;
  if (reference == MultiboxReference::SsdPytorch) return loss;
  loss.normalizer = MultiboxNormalizer::PositivesOrOne;
  if (reference == MultiboxReference::Torchvision) {
    loss.match.first_label = 0;
    loss.mine.rule = Mining::Torchvision;
    return loss;
  }
  loss.mine.negatives_for_hard = 100;
  if (reference == MultiboxReference::Bubbliiiing) {
    loss.match.rule = PriorMatch::BestPriorOfUnmatched;
    loss.mine.rule = Mining::Bubbliiiing;
    loss.normalizer = MultiboxNormalizer::PositivesOrOneAnImage;
    loss.least_probability = 1e-7;
  }
  return loss;
}

// What the network says of each prior, and what it should have said.
template <class T>
struct MultiboxInput {
  const T* locations = nullptr;  // [batch, priors, 4]
  const T* logits = nullptr;     // [batch, priors, classes]; class 0 is background
  int64_t classes = 0;
  ImageObjects<Computed<T>> objects;
  Priors<Computed<T>> priors;
};

// A fault but Box (match_priors.h) makes the values NaN, and with them the gradients: all of both if it is in
// the boxes, the labels or the logits; if it is in the location of a positive, that row of the locations'.
// Locations of other rows are not looked at. A degenerate object is reported and remains what the reference
// makes of it: an infinite location term with finite gradients, unless a later object takes its prior.
// A batch without positives has gradients 0, but for negatives_for_hard.
template <class T>
struct MultiboxOutput {
  Computed<T>* value = nullptr;     // [3]: location, confidence, what both were divided by
  T* locations_gradient = nullptr;  // [batch, priors, 4]        scale * d location / d locations; may be null
  T* logits_gradient = nullptr;     // [batch, priors, classes]  scale * d confidence / d logits; may be null
  double scale = 1;
  LossStatus* status = nullptr;  // may be null; never cleared here
};

// workspace: multibox_loss_cpu_workspace() or multibox_loss_workspace() bytes. On CUDA boxes
// are aligned to 4 of their elements, locations and gradients to 16 bytes (32 of double), and batch *
// priors < 2^31.
template <class T>
void multibox_loss_cpu(const MultiboxInput<T>&, const MultiboxLoss&, const MultiboxOutput<T>&,
                       void* workspace);
template <class T>
int64_t multibox_loss_cpu_workspace(int64_t batch, int64_t capacity, int64_t priors);

template <class T>
void multibox_loss(const MultiboxInput<T>&, const MultiboxLoss&, const MultiboxOutput<T>&, void* workspace,
                   Stream);
template <class T>
int64_t multibox_loss_workspace(int64_t batch, int64_t capacity, int64_t priors);

}  // namespace tyto::kernels
