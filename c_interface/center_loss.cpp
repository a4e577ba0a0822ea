// The centre loss and the rule by which its centres follow.
#include "kernels/losses/center_loss.h"

#include "c_interface/frame.h"

namespace tyto::c_interface {
namespace {

template <class Desc>
void check_rows(const Desc& d, const Arguments& a) {
  a.size("rows", d.rows);
  a.size("width", d.width);
  a.size("classes", d.classes, 1);
  a.below("rows", {d.rows});
  a.below("classes", {d.classes});
  a.elements("features", d.features, {d.rows, d.width});
  a.integers("labels", d.labels, {d.rows});
  a.elements("centers", d.centers, {d.classes, d.width});
  a.flag("normalize", d.normalize);
}

struct CenterLoss {
  using Desc = tyto_center_loss_desc;
  static constexpr const char* kName = "tyto_center_loss";

  static Desc defaults() { return {.scale = 1, .normalize = kernels::CenterLoss{}.normalize}; }
  static void check(const Desc& d, const Arguments& a) {
    check_rows(d, a);
    a.outcome(d, 1);
    a.gradient("gradient", d.gradient, {d.rows, d.width});
    a.gradient("centers_gradient", d.centers_gradient, {d.classes, d.width});
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(center_loss, T, d.rows, d.width);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::LearnedCenters<T> centers{static_cast<const T*>(d.centers), d.classes,
                                             static_cast<T*>(d.centers_gradient)};
    const kernels::CenterLoss loss{d.normalize != 0};
    TYTO_EITHER(center_loss, T, features_of<T>(d), centers, loss, output_of<T>(d, call));
  }
};

struct UpdateCenters {
  using Desc = tyto_update_centers_desc;
  static constexpr const char* kName = "tyto_update_centers";

  static Desc defaults() {
    const kernels::UpdateCenters update;
    return {.rate = update.rate, .normalize = update.normalize};
  }
  static void check(const Desc& d, const Arguments& a) {
    check_rows(d, a);
    a.status(d.status);
    a.number("rate", d.rate);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(center_loss, T, d.rows, d.width);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::UpdateCenters update{d.rate, d.normalize != 0};
    TYTO_EITHER(update_centers, T, features_of<T>(d), update, d.classes, static_cast<T*>(d.centers),
                call.status);
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_center_loss, tyto::c_interface::CenterLoss)
TYTO_C_FUNCTIONS(tyto_update_centers, tyto::c_interface::UpdateCenters)
