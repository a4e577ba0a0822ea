// CMDC, alone and beside the identity loss.
#include "c_interface/frame.h"
#include "kernels/losses/identity_and_cmdc.h"

namespace tyto::c_interface {
namespace {

static_assert(static_cast<int>(kernels::CmdcCenters::Modality) == TYTO_CENTERS_OF_MODALITY);
static_assert(static_cast<int>(kernels::CmdcCenters::Joint) == TYTO_CENTERS_JOINT);
static_assert(static_cast<int>(kernels::CmdcCenters::Learned) == TYTO_CENTERS_LEARNED);
static_assert(static_cast<int>(kernels::CmdcMining::All) == TYTO_MINE_ALL);
static_assert(static_cast<int>(kernels::CmdcMining::Hard) == TYTO_MINE_HARD);

template <class Desc>
void set_options(const kernels::CmdcLoss& loss, Desc* d) {
  d->centers = static_cast<int32_t>(loss.centers);
  d->mining = static_cast<int32_t>(loss.mining);
  d->normalize = loss.normalize;
  d->positive_bound = loss.positive_bound;
  d->negative_bound = loss.negative_bound;
  d->center_weight = loss.center_weight;
}

template <class Desc>
kernels::CmdcLoss options_of(const Desc& d) {
  return {.centers = static_cast<kernels::CmdcCenters>(d.centers),
          .mining = static_cast<kernels::CmdcMining>(d.mining),
          .positive_bound = d.positive_bound,
          .negative_bound = d.negative_bound,
          .center_weight = d.center_weight,
          .normalize = d.normalize != 0};
}

// What both have.
template <class Desc>
void check_cmdc(const Desc& d, const Arguments& a) {
  a.size("rows", d.rows);
  a.size("width", d.width);
  a.below("rows * rows", {d.rows, d.rows});
  a.below("classes", {d.classes});
  a.choice("centers", d.centers, 3);
  a.elements("features", d.features, {d.rows, d.width});
  a.integers("labels", d.labels, {d.rows});
  if (d.centers == TYTO_CENTERS_OF_MODALITY)
    a.integers("modalities", d.modalities, {d.rows});
  else
    a.optional("modalities", d.modalities, {d.rows}, sizeof(int32_t));
  if (d.centers == TYTO_CENTERS_LEARNED) {
    a.elements("learned", d.learned, {d.classes, d.width});
    a.gradient("learned_gradient", d.learned_gradient, {d.classes, d.width});
  }
  a.gradient("gradient", d.gradient, {d.rows, d.width});
  a.choice("mining", d.mining, 2);
  a.flag("normalize", d.normalize);
  a.number("positive_bound", d.positive_bound);
  a.number("negative_bound", d.negative_bound);
  a.number("center_weight", d.center_weight);
}

template <class T, class Desc>
kernels::LearnedCenters<T> learned_of(const Desc& d) {
  if (d.centers != TYTO_CENTERS_LEARNED) return {};
  return {static_cast<const T*>(d.learned), d.classes, static_cast<T*>(d.learned_gradient)};
}

struct CmdcLoss {
  using Desc = tyto_cmdc_loss_desc;
  static constexpr const char* kName = "tyto_cmdc_loss";

  static Desc defaults() {
    Desc d{.scale = 1};
    set_options({}, &d);
    return d;
  }
  static void check(const Desc& d, const Arguments& a) {
    a.size("classes", d.classes, d.centers == TYTO_CENTERS_LEARNED ? 1 : 0);
    check_cmdc(d, a);
    a.outcome(d, 1);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(cmdc_loss, T, d.rows, d.width);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    TYTO_EITHER(cmdc_loss, T, features_of<T>(d), d.modalities, learned_of<T>(d), options_of(d),
                output_of<T>(d, call));
  }
};

struct IdentityAndCmdcLoss {
  using Desc = tyto_identity_and_cmdc_loss_desc;
  static constexpr const char* kName = "tyto_identity_and_cmdc_loss";

  static Desc defaults() {
    const kernels::IdentityAndCmdcLoss loss;
    Desc d{.scale = 1, .smoothing = loss.smoothing, .lambda = loss.lambda};
    set_options(loss.cmdc, &d);
    return d;
  }
  static void check(const Desc& d, const Arguments& a) {
    a.size("classes", d.classes, 1);
    check_cmdc(d, a);
    a.elements("logits", d.logits, {d.rows, d.classes});
    a.outcome(d, 3);
    a.gradient("logits_gradient", d.logits_gradient, {d.rows, d.classes});
    a.number("smoothing", d.smoothing, 0, 1);
    a.number("lambda", d.lambda);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(identity_and_cmdc_loss, T, d.rows, d.width);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    kernels::IdentityAndCmdcInputs<T> inputs;
    inputs.logits = {static_cast<const T*>(d.logits), d.labels, d.rows, d.classes};
    inputs.features = features_of<T>(d);
    inputs.modalities = d.modalities;
    inputs.learned = learned_of<T>(d);
    const kernels::IdentityAndCmdcLoss loss{d.smoothing, d.lambda, options_of(d)};
    const kernels::IdentityAndCmdcOutput<T> output{static_cast<kernels::Computed<T>*>(d.value),
                                                   static_cast<T*>(d.logits_gradient),
                                                   static_cast<T*>(d.gradient), d.scale, call.status};
    TYTO_EITHER(identity_and_cmdc_loss, T, inputs, loss, output);
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_cmdc_loss, tyto::c_interface::CmdcLoss)
TYTO_C_FUNCTIONS(tyto_identity_and_cmdc_loss, tyto::c_interface::IdentityAndCmdcLoss)
