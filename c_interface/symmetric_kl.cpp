#include "kernels/losses/symmetric_kl.h"

#include "c_interface/frame.h"

namespace tyto::c_interface {
namespace {

struct SymmetricKl {
  using Desc = tyto_symmetric_kl_desc;
  static constexpr const char* kName = "tyto_symmetric_kl";

  static Desc defaults() { return {.scale = 1}; }
  static void check(const Desc& d, const Arguments& a) {
    a.size("rows", d.rows);
    a.size("classes", d.classes, 1);
    a.below("classes", {d.classes});
    a.elements("first", d.first, {d.rows, d.classes});
    a.elements("second", d.second, {d.rows, d.classes});
    a.outcome(d, 1);
    a.gradient("gradient", d.gradient, {d.rows, d.classes});
    a.gradient("second_gradient", d.second_gradient, {d.rows, d.classes});
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(symmetric_kl, T, d.rows);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::TwoViews<T> views{static_cast<const T*>(d.first), static_cast<const T*>(d.second), d.rows,
                                     d.classes, static_cast<T*>(d.second_gradient)};
    TYTO_EITHER(symmetric_kl, T, views, output_of<T>(d, call));
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_symmetric_kl, tyto::c_interface::SymmetricKl)
