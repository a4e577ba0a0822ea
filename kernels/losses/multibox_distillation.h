// A multibox detector (SSD) learns from a larger one of the same priors and classes: Chen et al., NeurIPS
// 2017, as MultiBoxLoss_KD has it.
#pragma once

#include "kernels/losses/multibox_loss.h"

namespace tyto::kernels {

// How far the student's distribution q is from the teacher's p, with w_c = background_weight for c = 0 and
// foreground_weight for the others.
enum class Divergence {
  KullbackLeibler,  // sum_c w_c (p_c + eps) log((p_c + eps) / (q_c + eps))
  CrossEntropy,     // sum_c -w_c (p_c + eps) log(q_c + eps): other values, the same gradient
};

// Over the positive priors P, and these and the mined negatives M, both found on the student's logits z, with
// N the normalizer, t the target, l and l' the student's and the teacher's location:
//   soft       = T^2 / N * sum over M of divergence(softmax(z' / T), softmax(z / T))
//   confidence = 1 / N * sum over M of logsumexp(z) - z[label]
//   l2         = 1 / N * sum over P of |l - t|^2 where |l - t|^2 + margin > |l' - t|^2
//   location   = 1 / N * sum over P of smooth L1, as multibox_loss
//   total      = 0.3 soft + 0.7 confidence + 0.5 l2 + location
// The paper has the temperature T, the weights of classes and the bounded l2; the weights of the terms are
// the article's; eps and the divergence's form our reading (the article does not show them). As there, a
// background_weight of at most 1 means torch's KLDivLoss: both weights 1, eps 0, KullbackLeibler.
struct MultiboxDistillation {
  double temperature = 1;  // T
  double background_weight = 1.5, foreground_weight = 1;
  double eps = 1e-5;
  Divergence divergence = Divergence::KullbackLeibler;
  double margin = 0;
  double soft = 0.3, confidence = 0.7, l2 = 0.5, location = 1;  // the terms' weights
  MultiboxNormalizer normalizer = MultiboxNormalizer::PositivesOrOne;
};

template <class T>
struct MultiboxPredictions {
  const T* locations = nullptr;  // [batch, priors, 4]
  const T* logits = nullptr;     // [batch, priors, classes]; class 0 is background
};

// What match_priors and mine_negatives made of the student's logits.
template <class T>
struct MultiboxSelection {
  const int32_t* labels = nullptr;       // [batch, priors]
  const Computed<T>* targets = nullptr;  // [batch, priors, 4]
  const uint8_t* selected = nullptr;     // [batch, priors]  a row counts once, whatever the bits
  const int32_t* positives = nullptr;    // [batch]
  const LossStatus *matching = nullptr, *mining = nullptr;  // their status; each may be null
  int64_t batch = 0, priors = 0, classes = 0;
};

inline constexpr int kDistillationTerms = 5;

// What is looked at: labels, selection and positives; logits of selected rows; locations and targets of
// positives; the teacher's at the same rows as the student's, so that whatever stands in its others, NaN too,
// has no effect. What is looked at and not finite (Logits, Locations, TeacherLogits, TeacherLocations; Boxes
// for targets), and the label of a selected row that is out of range (Labels), makes all values NaN, and that
// row of the gradient to which it belongs. What matching and mining found joins the status; any of it but Box
// makes all of both gradients NaN as well.
template <class T>
struct MultiboxDistillationOutput {
  Computed<T>* value = nullptr;     // [kDistillationTerms]: total, soft, confidence, l2, location
  T* locations_gradient = nullptr;  // [batch, priors, 4]  scale * d total / d the student's; may be null
  T* logits_gradient = nullptr;     // [batch, priors, classes]  so, too; no gradient goes to the teacher
  double scale = 1;
  LossStatus* status = nullptr;  // may be null; never cleared here
};

// workspace: multibox_distillation_cpu_workspace() or multibox_distillation_workspace() bytes. On CUDA
// locations, targets and gradients are aligned to 16 bytes (32 of double), and batch * priors < 2^31.
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

// All in one: matching, mining on the student's logits, distillation.
struct MultiboxDistillationLoss {
  MatchPriors match;  // its `classes` is not looked at
  MineNegatives mine = {.negatives_for_hard = 100};
  MultiboxDistillation distillation;
};

template <class T>
void multibox_distillation_loss_cpu(const MultiboxInput<T>& student, const MultiboxPredictions<T>& teacher,
                                    const MultiboxDistillationLoss&, const MultiboxDistillationOutput<T>&,
                                    void* workspace);
template <class T>
int64_t multibox_distillation_loss_cpu_workspace(int64_t batch, int64_t capacity, int64_t priors);

template <class T>
void multibox_distillation_loss(const MultiboxInput<T>& student, const MultiboxPredictions<T>& teacher,
                                const MultiboxDistillationLoss&, const MultiboxDistillationOutput<T>&,
                                void* workspace, Stream);
template <class T>
int64_t multibox_distillation_loss_workspace(int64_t batch, int64_t capacity, int64_t priors);

}  // namespace tyto::kernels
