// The hetero-centre loss and the triplet loss on such centres.
#include "kernels/losses/hetero_center.h"

#include "c_interface/frame.h"
#include "kernels/losses/hetero_center_triplet.h"

namespace tyto::c_interface {
namespace {

static_assert(static_cast<int>(kernels::CenterDistance::Squared) == TYTO_DISTANCE_SQUARED);
static_assert(static_cast<int>(kernels::CenterDistance::Absolute) == TYTO_DISTANCE_ABSOLUTE);
static_assert(static_cast<int>(kernels::CenterDistance::Cosine) == TYTO_DISTANCE_COSINE);

template <class Desc>
void check_rows(const Desc& d, const Arguments& a) {
  a.elements("features", d.features, {d.rows, d.width});
  a.integers("labels", d.labels, {d.rows});
  a.integers("modalities", d.modalities, {d.rows});
  a.outcome(d, 1);
  a.gradient("gradient", d.gradient, {d.rows, d.width});
  a.number("margin", d.margin);
}

struct HeteroCenterLoss {
  using Desc = tyto_hetero_center_loss_desc;
  static constexpr const char* kName = "tyto_hetero_center_loss";

  static Desc defaults() {
    const kernels::HeteroCenterLoss loss;
    return {.scale = 1, .distance = static_cast<int32_t>(loss.distance), .margin = loss.margin};
  }
  static void check(const Desc& d, const Arguments& a) {
    a.size("rows", d.rows);
    a.size("width", d.width);
    a.below("rows", {d.rows});
    a.choice("distance", d.distance, 3);
    check_rows(d, a);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(hetero_center_loss, T, d.rows, d.width);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::HeteroCenterLoss loss{static_cast<kernels::CenterDistance>(d.distance), d.margin};
    TYTO_EITHER(hetero_center_loss, T, features_of<T>(d), d.modalities, loss, output_of<T>(d, call));
  }
};

struct HeteroCenterTripletLoss {
  using Desc = tyto_hetero_center_triplet_loss_desc;
  static constexpr const char* kName = "tyto_hetero_center_triplet_loss";

  static Desc defaults() { return {.scale = 1, .margin = kernels::HeteroCenterTripletLoss{}.margin}; }
  static void check(const Desc& d, const Arguments& a) {
    a.size("rows", d.rows);
    a.size("width", d.width);
    a.below("rows * rows", {d.rows, d.rows});
    check_rows(d, a);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(hetero_center_triplet_loss, T, d.rows, d.width);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::HeteroCenterTripletLoss loss{d.margin};
    TYTO_EITHER(hetero_center_triplet_loss, T, features_of<T>(d), d.modalities, loss, output_of<T>(d, call));
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_hetero_center_loss, tyto::c_interface::HeteroCenterLoss)
TYTO_C_FUNCTIONS(tyto_hetero_center_triplet_loss, tyto::c_interface::HeteroCenterTripletLoss)
