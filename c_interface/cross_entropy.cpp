#include "kernels/losses/cross_entropy.h"

#include "c_interface/frame.h"

namespace tyto::c_interface {
namespace {

struct CrossEntropy {
  using Desc = tyto_cross_entropy_desc;
  static constexpr const char* kName = "tyto_cross_entropy";

  static Desc defaults() {
    const kernels::CrossEntropy loss;
    return {.parts = loss.parts, .scale = 1, .smoothing = loss.smoothing, .ignored_label = -1};
  }
  static void check(const Desc& d, const Arguments& a) {
    a.size("rows", d.rows);
    a.size("classes", d.classes, 1);
    a.below("classes", {d.classes});
    a.size("parts", d.parts, 1);
    a.elements("logits", d.logits, {d.parts, d.rows, d.classes});
    a.integers("labels", d.labels, {d.rows});
    a.outcome(d, 1);
    a.gradient("gradient", d.gradient, {d.parts, d.rows, d.classes});
    a.number("smoothing", d.smoothing, 0, 1);
    a.flag("ignores", d.ignores);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(cross_entropy, T, d.rows, d.parts);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::LabelledRows<T> logits{static_cast<const T*>(d.logits), d.labels, d.rows, d.classes};
    kernels::CrossEntropy loss{.smoothing = d.smoothing, .parts = d.parts};
    if (d.ignores != 0) loss.ignored_label = d.ignored_label;
    TYTO_EITHER(cross_entropy, T, logits, loss, output_of<T>(d, call));
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_cross_entropy, tyto::c_interface::CrossEntropy)
