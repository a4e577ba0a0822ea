// The losses over the pairs of a batch.
#include "c_interface/frame.h"
#include "kernels/losses/batch_hard_triplet.h"
#include "kernels/losses/circle.h"
#include "kernels/losses/contrastive.h"
#include "kernels/losses/instance.h"
#include "kernels/losses/lifted.h"
#include "kernels/losses/triplet.h"
#include "kernels/losses/weighted_regularized_triplet.h"

namespace tyto::c_interface {
namespace {

// All but the options.
template <class Desc>
void check_pairs(const Desc& d, const Arguments& a) {
  a.size("rows", d.rows);
  a.size("width", d.width);
  a.below("rows * rows", {d.rows, d.rows});
  a.elements("features", d.features, {d.rows, d.width});
  a.integers("labels", d.labels, {d.rows});
  a.outcome(d, 1);
  a.gradient("gradient", d.gradient, {d.rows, d.width});
}

struct CircleLoss {
  using Desc = tyto_circle_loss_desc;
  static constexpr const char* kName = "tyto_circle_loss";

  static Desc defaults() {
    const kernels::CircleLoss loss;
    return {.scale = 1, .margin = loss.margin, .gamma = loss.gamma};
  }
  static void check(const Desc& d, const Arguments& a) {
    check_pairs(d, a);
    a.number("margin", d.margin);
    a.number("gamma", d.gamma);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(circle_loss, T, d.rows, d.width);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::CircleLoss loss{d.margin, d.gamma};
    TYTO_EITHER(circle_loss, T, features_of<T>(d), loss, output_of<T>(d, call));
  }
};

struct TripletLoss {
  using Desc = tyto_triplet_loss_desc;
  static constexpr const char* kName = "tyto_triplet_loss";

  static Desc defaults() {
    const kernels::TripletLoss loss;
    return {.scale = 1, .margin = loss.margin, .mined = loss.mined, .epsilon = loss.epsilon};
  }
  static void check(const Desc& d, const Arguments& a) {
    check_pairs(d, a);
    a.number("margin", d.margin);
    a.flag("mined", d.mined);
    a.number("epsilon", d.epsilon);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(triplet_loss, T, d.rows, d.width);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::TripletLoss loss{d.margin, d.mined != 0, d.epsilon};
    TYTO_EITHER(triplet_loss, T, features_of<T>(d), loss, output_of<T>(d, call));
  }
};

struct ContrastiveLoss {
  using Desc = tyto_contrastive_loss_desc;
  static constexpr const char* kName = "tyto_contrastive_loss";

  static Desc defaults() {
    const kernels::ContrastiveLoss loss;
    return {.scale = 1, .positive_margin = loss.positive_margin, .negative_margin = loss.negative_margin};
  }
  static void check(const Desc& d, const Arguments& a) {
    check_pairs(d, a);
    a.number("positive_margin", d.positive_margin);
    a.number("negative_margin", d.negative_margin);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(contrastive_loss, T, d.rows, d.width);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::ContrastiveLoss loss{d.positive_margin, d.negative_margin};
    TYTO_EITHER(contrastive_loss, T, features_of<T>(d), loss, output_of<T>(d, call));
  }
};

struct LiftedLoss {
  using Desc = tyto_lifted_loss_desc;
  static constexpr const char* kName = "tyto_lifted_loss";

  static Desc defaults() {
    const kernels::LiftedLoss loss;
    return {.scale = 1, .positive_margin = loss.positive_margin, .negative_margin = loss.negative_margin};
  }
  static void check(const Desc& d, const Arguments& a) {
    check_pairs(d, a);
    a.number("positive_margin", d.positive_margin);
    a.number("negative_margin", d.negative_margin);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(lifted_loss, T, d.rows, d.width);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::LiftedLoss loss{d.positive_margin, d.negative_margin};
    TYTO_EITHER(lifted_loss, T, features_of<T>(d), loss, output_of<T>(d, call));
  }
};

struct InstanceLoss {
  using Desc = tyto_instance_loss_desc;
  static constexpr const char* kName = "tyto_instance_loss";

  static Desc defaults() {
    const kernels::InstanceLoss loss;
    return {
        .scale = 1, .gamma = loss.gamma, .added_length = loss.added_length, .by_identity = loss.by_identity};
  }
  static void check(const Desc& d, const Arguments& a) {
    check_pairs(d, a);
    a.number("gamma", d.gamma, 0, 256);
    a.number("added_length", d.added_length, 0);
    a.flag("by_identity", d.by_identity);
  }
  static kernels::InstanceLoss loss_of(const Desc& d) {
    return {d.gamma, d.added_length, d.by_identity != 0};
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(instance_loss, T, d.rows, d.width, loss_of(d));
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    TYTO_EITHER(instance_loss, T, features_of<T>(d), loss_of(d), output_of<T>(d, call));
  }
};

struct BatchHardTripletLoss {
  using Desc = tyto_batch_hard_triplet_loss_desc;
  static constexpr const char* kName = "tyto_batch_hard_triplet_loss";

  static Desc defaults() { return {.scale = 1, .margin = kernels::BatchHardTripletLoss{}.margin}; }
  static void check(const Desc& d, const Arguments& a) {
    check_pairs(d, a);
    a.number("margin", d.margin);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(batch_hard_triplet_loss, T, d.rows, d.width);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::BatchHardTripletLoss loss{d.margin};
    TYTO_EITHER(batch_hard_triplet_loss, T, features_of<T>(d), loss, output_of<T>(d, call));
  }
};

struct WeightedRegularizedTripletLoss {
  using Desc = tyto_weighted_regularized_triplet_loss_desc;
  static constexpr const char* kName = "tyto_weighted_regularized_triplet_loss";

  static Desc defaults() { return {.scale = 1}; }
  static void check(const Desc& d, const Arguments& a) { check_pairs(d, a); }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(weighted_regularized_triplet_loss, T, d.rows, d.width);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::WeightedRegularizedTripletLoss loss;
    TYTO_EITHER(weighted_regularized_triplet_loss, T, features_of<T>(d), loss, output_of<T>(d, call));
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_circle_loss, tyto::c_interface::CircleLoss)
TYTO_C_FUNCTIONS(tyto_triplet_loss, tyto::c_interface::TripletLoss)
TYTO_C_FUNCTIONS(tyto_contrastive_loss, tyto::c_interface::ContrastiveLoss)
TYTO_C_FUNCTIONS(tyto_lifted_loss, tyto::c_interface::LiftedLoss)
TYTO_C_FUNCTIONS(tyto_instance_loss, tyto::c_interface::InstanceLoss)
TYTO_C_FUNCTIONS(tyto_batch_hard_triplet_loss, tyto::c_interface::BatchHardTripletLoss)
TYTO_C_FUNCTIONS(tyto_weighted_regularized_triplet_loss, tyto::c_interface::WeightedRegularizedTripletLoss)
