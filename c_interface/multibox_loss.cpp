// SSD's MultiBox loss and its distillation.
#include "c_interface/frame.h"
#include "kernels/losses/multibox_distillation.h"

namespace tyto::c_interface {
namespace {

static_assert(static_cast<int>(kernels::MultiboxReference::SsdPytorch) == TYTO_SSD_PYTORCH);
static_assert(static_cast<int>(kernels::MultiboxReference::Fork) == TYTO_SSD_FORK);
static_assert(static_cast<int>(kernels::MultiboxReference::Bubbliiiing) == TYTO_BUBBLIIIING);
static_assert(static_cast<int>(kernels::MultiboxReference::Torchvision) == TYTO_TORCHVISION);
static_assert(static_cast<int>(kernels::PriorMatch::BestPrior) == TYTO_MATCH_BEST_PRIOR);
static_assert(static_cast<int>(kernels::PriorMatch::BestPriorOfUnmatched) ==
              TYTO_MATCH_BEST_PRIOR_OF_UNMATCHED);
static_assert(static_cast<int>(kernels::Mining::SsdPytorch) == TYTO_MINE_SSD_PYTORCH);
static_assert(static_cast<int>(kernels::Mining::Torchvision) == TYTO_MINE_TORCHVISION);
static_assert(static_cast<int>(kernels::Mining::Bubbliiiing) == TYTO_MINE_BUBBLIIIING);
static_assert(static_cast<int>(kernels::MultiboxNormalizer::Positives) == TYTO_POSITIVES);
static_assert(static_cast<int>(kernels::MultiboxNormalizer::PositivesOrOne) == TYTO_POSITIVES_OR_ONE);
static_assert(static_cast<int>(kernels::MultiboxNormalizer::PositivesOrOneAnImage) ==
              TYTO_POSITIVES_OR_ONE_AN_IMAGE);
static_assert(static_cast<int>(kernels::Divergence::KullbackLeibler) == TYTO_KULLBACK_LEIBLER);
static_assert(static_cast<int>(kernels::Divergence::CrossEntropy) == TYTO_CROSS_ENTROPY);

// Matching, mining and normalizer, which both have.
template <class Desc>
void set_options(const kernels::MatchPriors& match, const kernels::MineNegatives& mine,
                 kernels::MultiboxNormalizer normalizer, Desc* d) {
  d->match = static_cast<int32_t>(match.rule);
  d->first_label = match.first_label;
  d->mining = static_cast<int32_t>(mine.rule);
  d->normalizer = static_cast<int32_t>(normalizer);
  d->threshold = match.threshold;
  std::copy(match.variance.begin(), match.variance.end(), d->variance);
  d->negatives_per_positive = mine.negatives_per_positive;
  d->negatives_for_hard = mine.negatives_for_hard;
}

template <class Desc>
kernels::MatchPriors match_of(const Desc& d) {
  return {.threshold = d.threshold,
          .variance = {d.variance[0], d.variance[1], d.variance[2], d.variance[3]},
          .rule = static_cast<kernels::PriorMatch>(d.match),
          .first_label = d.first_label};
}

template <class Desc>
kernels::MineNegatives mine_of(const Desc& d) {
  return {static_cast<kernels::Mining>(d.mining), d.negatives_per_positive, d.negatives_for_hard};
}

template <class T, class Desc>
kernels::MultiboxInput<T> input_of(const Desc& d) {
  using C = kernels::Computed<T>;
  kernels::MultiboxInput<T> input;
  input.locations = static_cast<const T*>(d.locations);
  input.logits = static_cast<const T*>(d.logits);
  input.classes = d.classes;
  input.objects = {static_cast<const C*>(d.boxes), d.box_classes, d.box_counts, d.batch, d.capacity};
  input.priors = {static_cast<const C*>(d.prior_boxes), d.priors, d.prior_corners != 0};
  return input;
}

template <class Desc>
void check_multibox(const Desc& d, const Arguments& a) {
  a.size("batch", d.batch);
  a.size("priors", d.priors);
  a.size("classes", d.classes, 1);
  a.below("classes", {d.classes});
  a.size("capacity", d.capacity);
  a.below("batch * priors", {d.batch, d.priors});
  a.below("batch * capacity", {d.batch, d.capacity});
  a.below("priors", {d.priors});
  a.below("capacity", {d.capacity});
  a.elements("locations", d.locations, {d.batch, d.priors, 4}, 4);
  a.elements("logits", d.logits, {d.batch, d.priors, d.classes});
  a.reals("prior_boxes", d.prior_boxes, {d.priors, 4}, 4);
  a.reals("boxes", d.boxes, {d.batch, d.capacity, 4}, 4);
  a.integers("box_classes", d.box_classes, {d.batch, d.capacity});
  a.optional("box_counts", d.box_counts, {d.batch}, sizeof(int32_t));
  a.gradient("locations_gradient", d.locations_gradient, {d.batch, d.priors, 4}, 4);
  a.gradient("logits_gradient", d.logits_gradient, {d.batch, d.priors, d.classes});
  a.flag("prior_corners", d.prior_corners);
  a.choice("match", d.match, 2);
  a.choice("first_label", d.first_label, 2);
  a.choice("mining", d.mining, 3);
  a.choice("normalizer", d.normalizer, 3);
  a.number("threshold", d.threshold, 0, 1);
  for (const double v : d.variance) a.positive("variance", v);
  a.number("negatives_per_positive", d.negatives_per_positive, 0);
  a.size("negatives_for_hard", d.negatives_for_hard);
}

struct MultiboxLoss {
  using Desc = tyto_multibox_loss_desc;
  static constexpr const char* kName = "tyto_multibox_loss";

  static void set(kernels::MultiboxReference reference, Desc* d) {
    const kernels::MultiboxLoss loss = kernels::multibox_as(reference);
    set_options(loss.match, loss.mine, loss.normalizer, d);
    d->prior_corners = reference == kernels::MultiboxReference::Bubbliiiing ||
                       reference == kernels::MultiboxReference::Torchvision;
    d->least_probability = loss.least_probability;
  }
  static Desc defaults() {
    Desc d{.scale = 1};
    set(kernels::MultiboxReference::SsdPytorch, &d);
    return d;
  }
  static void check(const Desc& d, const Arguments& a) {
    check_multibox(d, a);
    a.outcome(d, 3);
    a.number("least_probability", d.least_probability, 0, 1);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(multibox_loss, T, d.batch, d.capacity, d.priors);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::MultiboxLoss loss{
        match_of(d), mine_of(d), static_cast<kernels::MultiboxNormalizer>(d.normalizer), d.least_probability};
    const kernels::MultiboxOutput<T> output{static_cast<kernels::Computed<T>*>(d.value),
                                            static_cast<T*>(d.locations_gradient),
                                            static_cast<T*>(d.logits_gradient), d.scale, call.status};
    TYTO_EITHER(multibox_loss, T, input_of<T>(d), loss, output);
  }
};

struct MultiboxDistillationLoss {
  using Desc = tyto_multibox_distillation_loss_desc;
  static constexpr const char* kName = "tyto_multibox_distillation_loss";

  static Desc defaults() {
    const kernels::MultiboxDistillationLoss loss;
    const kernels::MultiboxDistillation& distillation = loss.distillation;
    Desc d{.scale = 1};
    set_options(loss.match, loss.mine, distillation.normalizer, &d);
    d.divergence = static_cast<int32_t>(distillation.divergence);
    d.temperature = distillation.temperature;
    d.background_weight = distillation.background_weight;
    d.foreground_weight = distillation.foreground_weight;
    d.eps = distillation.eps;
    d.margin = distillation.margin;
    d.soft_weight = distillation.soft;
    d.confidence_weight = distillation.confidence;
    d.l2_weight = distillation.l2;
    d.location_weight = distillation.location;
    return d;
  }
  static void check(const Desc& d, const Arguments& a) {
    check_multibox(d, a);
    a.elements("teacher_locations", d.teacher_locations, {d.batch, d.priors, 4}, 4);
    a.elements("teacher_logits", d.teacher_logits, {d.batch, d.priors, d.classes});
    a.outcome(d, kernels::kDistillationTerms);
    a.choice("divergence", d.divergence, 2);
    a.positive("temperature", d.temperature);
    a.number("background_weight", d.background_weight, 0);
    a.number("foreground_weight", d.foreground_weight, 0);
    a.number("eps", d.eps, 0);
    a.number("margin", d.margin);
    a.number("soft_weight", d.soft_weight);
    a.number("confidence_weight", d.confidence_weight);
    a.number("l2_weight", d.l2_weight);
    a.number("location_weight", d.location_weight);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(multibox_distillation_loss, T, d.batch, d.capacity, d.priors);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::MultiboxPredictions<T> teacher{static_cast<const T*>(d.teacher_locations),
                                                  static_cast<const T*>(d.teacher_logits)};
    const kernels::MultiboxDistillationLoss loss{
        .match = match_of(d),
        .mine = mine_of(d),
        .distillation = {.temperature = d.temperature,
                         .background_weight = d.background_weight,
                         .foreground_weight = d.foreground_weight,
                         .eps = d.eps,
                         .divergence = static_cast<kernels::Divergence>(d.divergence),
                         .margin = d.margin,
                         .soft = d.soft_weight,
                         .confidence = d.confidence_weight,
                         .l2 = d.l2_weight,
                         .location = d.location_weight,
                         .normalizer = static_cast<kernels::MultiboxNormalizer>(d.normalizer)}};
    const kernels::MultiboxDistillationOutput<T> output{
        static_cast<kernels::Computed<T>*>(d.value), static_cast<T*>(d.locations_gradient),
        static_cast<T*>(d.logits_gradient), d.scale, call.status};
    TYTO_EITHER(multibox_distillation_loss, T, input_of<T>(d), teacher, loss, output);
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_multibox_loss, tyto::c_interface::MultiboxLoss)
TYTO_C_FUNCTIONS(tyto_multibox_distillation_loss, tyto::c_interface::MultiboxDistillationLoss)

extern "C" int tyto_multibox_loss_as(tyto_multibox_loss_desc* desc, int32_t reference, char* error,
                                     size_t error_size) {
  using namespace tyto;
  using c_interface::MultiboxLoss;
  return c_interface::answered({MultiboxLoss::kName, "_as"}, error, error_size, [&] {
    if (desc == nullptr) throw c_interface::Refused{TYTO_LOSSES_BAD_ARGUMENT, "desc is null"};
    c_interface::check_desc_size(desc->size, sizeof *desc);
    c_interface::check_choice("reference", reference, 4);
    MultiboxLoss::set(static_cast<kernels::MultiboxReference>(reference), desc);
    return kernels::LossStatus{0};
  });
}
