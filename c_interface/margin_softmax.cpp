#include "kernels/losses/margin_softmax.h"

#include "c_interface/frame.h"

namespace tyto::c_interface {
namespace {

struct MarginSoftmax {
  using Desc = tyto_margin_softmax_desc;
  static constexpr const char* kName = "tyto_margin_softmax";

  static Desc defaults() {
    const kernels::MarginSoftmax& loss = kernels::kArcFace;
    return {.scale = 1, .method = TYTO_ARC_FACE, .margin = loss.margin, .logit_scale = loss.scale};
  }
  static void check(const Desc& d, const Arguments& a) {
    a.size("rows", d.rows);
    a.size("width", d.width);
    a.size("classes", d.classes, 1);
    a.below("rows * classes", {d.rows, d.classes});
    a.below("classes * width", {d.classes, d.width});
    a.elements("features", d.features, {d.rows, d.width});
    a.integers("labels", d.labels, {d.rows});
    a.elements("weights", d.weights, {d.width, d.classes});
    a.outcome(d, 1);
    a.gradient("gradient", d.gradient, {d.rows, d.width});
    a.gradient("weights_gradient", d.weights_gradient, {d.width, d.classes});
    a.choice("method", d.method, 3);
    if (d.method == TYTO_ARC_FACE)
      a.number("margin", d.margin, 0, std::numbers::pi);
    else if (d.method == TYTO_COS_FACE)
      a.number("margin", d.margin);
    else
      a.whole("margin", d.margin, 1);
    a.number("logit_scale", d.logit_scale);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(margin_softmax, T, d.rows, d.width, d.classes);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::ClassWeights<T> weights{static_cast<const T*>(d.weights), d.classes,
                                           static_cast<T*>(d.weights_gradient)};
    const kernels::MarginSoftmax loss{static_cast<kernels::AngularMargin>(d.method), d.margin, d.logit_scale};
    TYTO_EITHER(margin_softmax, T, features_of<T>(d), weights, loss, output_of<T>(d, call));
  }
};

static_assert(static_cast<int>(kernels::AngularMargin::ArcFace) == TYTO_ARC_FACE);
static_assert(static_cast<int>(kernels::AngularMargin::CosFace) == TYTO_COS_FACE);
static_assert(static_cast<int>(kernels::AngularMargin::SphereFace) == TYTO_SPHERE_FACE);

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_margin_softmax, tyto::c_interface::MarginSoftmax)
