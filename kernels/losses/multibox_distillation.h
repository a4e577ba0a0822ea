// A multibox detector (SSD) learns from a larger one of the same priors and classes: Chen et al., NeurIPS
// 2017, as MultiBoxLoss_KD has it.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// Over the priors of positive label (P) and those and the mined negatives (M), both found on the student's
// logits z, with N the normaliser, t the wanted location, l and l' the student's and the teacher's:
//   soft        = T^2 / N sum over M of D(softmax(z' / T), softmax(z / T))
//   confidence  = 1 / N sum over M of (logsumexp(z) - z[label])
//   l2          = 1 / N sum over P of |l - t|^2 where |l - t|^2 + margin > |l' - t|^2, else 0
//   location    = 1 / N sum over P and coordinates of smooth L1(l - t), beta 1
//   total       = 0.3 soft + 0.7 confidence + 0.5 l2 + location
// with D(p, q), where w_c is background_weight for c = 0 and foreground_weight else,
//   KullbackLeibler  sum_c w_c (p_c + eps) ln((p_c + eps) / (q_c + eps))
//   CrossEntropy     - sum_c w_c (p_c + eps) ln(q_c + eps), which has the same gradient
//   and, where background_weight is at most 1, sum_c p_c ln(p_c / q_c), torch's KLDivLoss.
// The paper establishes T, the weights and the bounded regression; the weights of the terms and the choice by
// background_weight are the article's (detection.md 2.7), the body of D and eps our reading.
enum class DistillationDivergence { KullbackLeibler, CrossEntropy };

struct MultiboxDistillation {
  double temperature = 1;
  double background_weight = 1.5, foreground_weight = 1;
  double eps = 1e-5;
  DistillationDivergence divergence = DistillationDivergence::KullbackLeibler;
  double margin = 0;
  double soft = 0.3, confidence = 0.7, l2 = 0.5, location = 1;  // the terms' weights in the total
};

inline constexpr int kDistillationTerms = 5;  // total, soft, confidence, l2, location

template <class T>
struct MultiboxPredictions {
  const T* locations = nullptr;  // [batch, priors, 4]
  const T* logits = nullptr;     // [batch, priors, classes], background first
};

template <class T>
struct MultiboxDistillationOutput {
  Computed<T>* values = nullptr;  // [kDistillationTerms]
  // scale * d total / d the student's, of their shape; null: not wanted. No gradient goes to the teacher.
  T* locations = nullptr;
  T* logits = nullptr;
  double scale = 1;
  LossStatus* status = nullptr;  // as LossOutput's
};

// What match_priors and mine_negatives found, on the student's logits.
template <class T>
struct MultiboxSelection {
  const int32_t* labels = nullptr;      // [batch, priors]: 0 background, above it the object's class
  const Computed<T>* wanted = nullptr;  // [batch, priors, 4], looked at where the label is above 0
  const uint8_t* negatives = nullptr;   // [batch, priors]: whether the prior is a mined negative
  int64_t batch = 0, priors = 0;
  int classes = 0;
};

// N is the number of positive labels in the batch, at least 1. Predictions of priors outside of M are not
// read, the teacher's no more than the student's: what is not finite there has no effect here. Fault: a label
// out of range (Labels) or what is read and not finite (Logits, Locations, TeacherLogits, TeacherLocations;
// Boxes for wanted); all values are NaN and so are that prior's rows of the gradients. workspace:
// multibox_distillation_cpu_workspace() or multibox_distillation_workspace() bytes, aligned to 256.
template <class T>
void multibox_distillation_cpu(const MultiboxSelection<T>&, const MultiboxPredictions<T>& student,
                               const MultiboxPredictions<T>& teacher, const MultiboxDistillation&,
                               const MultiboxDistillationOutput<T>&, void* workspace);
template <class T>
int64_t multibox_distillation_cpu_workspace(int64_t batch, int64_t priors);

template <class T>
void multibox_distillation(const MultiboxSelection<T>&, const MultiboxPredictions<T>& student,
                           const MultiboxPredictions<T>& teacher, const MultiboxDistillation&,
                           const MultiboxDistillationOutput<T>&, void* workspace, Stream);
template <class T>
int64_t multibox_distillation_workspace(int64_t batch, int64_t priors);

}  // namespace tyto::kernels
