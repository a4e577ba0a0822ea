#include "kernels/losses/circle.h"

#include "c_interface/frame.h"

namespace tyto::c_interface {
namespace {

struct CircleLoss {
  using Desc = tyto_circle_loss_desc;
  static constexpr const char* kName = "tyto_circle_loss";

  static Desc defaults() {
    const kernels::CircleLoss loss;
    return {.scale = 1, .margin = loss.margin, .gamma = loss.gamma};
  }
  static void check(const Desc& d, const Arguments& a) {
    a.size("rows", d.rows);
    a.size("width", d.width);
    a.below("rows * rows", {d.rows, d.rows});
    a.elements("features", d.features, {d.rows, d.width});
    a.integers("labels", d.labels, {d.rows});
    a.outcome(d, 1);
    a.gradient("gradient", d.gradient, {d.rows, d.width});
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

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_circle_loss, tyto::c_interface::CircleLoss)
