// The arithmetic of margin_softmax.h. C is double or float.
#pragma once

#include <cmath>

#include "kernels/common/host_device.h"
#include "kernels/common/workspace.h"
#include "kernels/losses/margin_softmax.h"

namespace tyto::kernels {

// psi of a label's cosine, and d psi / d cosine.
template <class C>
struct Margined {
  C psi, slope;
};

template <class C>
struct MarginRule {
  AngularMargin method;
  C scale, margin, cosine, sine;  // of the margin, where it is an angle
  int times;                      // the margin where it multiplies the angle

  explicit MarginRule(const MarginSoftmax& o)
      : method(o.method),
        scale(static_cast<C>(o.scale)),
        margin(static_cast<C>(o.margin)),
        cosine(static_cast<C>(std::cos(o.margin))),
        sine(static_cast<C>(std::sin(o.margin))),
        times(static_cast<int>(o.margin)) {}

  TYTO_HOST_DEVICE Margined<C> of(C cosine_of_label) const {
    switch (method) {
      case AngularMargin::ArcFace:
        return arc(cosine_of_label);
      case AngularMargin::SphereFace:
        return sphere(cosine_of_label);
      case AngularMargin::CosFace:
        break;
    }
    return {cosine_of_label - margin, C{1}};
  }

 private:
  // Products of unit rows may pass 1 by a rounding.
  static TYTO_HOST_DEVICE C within_one(C c) { return c > 1 ? C{1} : c < -1 ? C{-1} : c; }

  // cos(theta + m) = cos theta cos m - sin theta sin m; theta <= pi - m where cos theta >= -cos m.
  TYTO_HOST_DEVICE Margined<C> arc(C label) const {
    const C c = within_one(label), s = std::sqrt((1 - c) * (1 + c));
    const bool inside = c >= -cosine;
    const C psi = inside ? c * cosine - s * sine : c - margin * sine;
    if (s == 0) return {psi, C{0}};
    return {psi, inside ? cosine + c / s * sine : C{1}};
  }

  // cos(n theta) and its slope n sin(n theta) / sin theta are Chebyshev's polynomials of cos theta.
  TYTO_HOST_DEVICE Margined<C> sphere(C label) const {
    constexpr double kPi = std::numbers::pi;
    const int k = static_cast<int>(std::floor(std::acos(within_one(label)) / static_cast<C>(kPi / times)));
    C before = 1, cosine_of_all = label, sine_before = 0, sines = 1;
    for (int n = 1; n < times; ++n) {
      const C next = 2 * label * cosine_of_all - before, next_sines = 2 * label * sines - sine_before;
      before = cosine_of_all;
      cosine_of_all = next;
      sine_before = sines;
      sines = next_sines;
    }
    const C sign = k % 2 == 0 ? C{1} : C{-1};
    return {sign * cosine_of_all - static_cast<C>(2 * k), sign * static_cast<C>(times) * sines};
  }
};

template <class C>
struct MarginMemory {
  LossStatus* found;         // [1]
  C *x, *lengths;            // [rows, width], [rows]
  C *w, *w_lengths;          // [classes, width], [classes]
  C* turned;                 // [classes, width]  the weights as they are, then d value / d w
  C* logits;                 // [rows, classes]   cosines, logits, then d value / d cosine
  C* slopes;                 // [rows]            d psi / d cosine of the label
  C* gradients;              // [rows, width]     d value / d x
  void *products, *entropy;  // what row_products.h and cross entropy need

  MarginMemory(Workspace& workspace, int64_t rows, int64_t width, int64_t classes, int64_t products_bytes,
               int64_t entropy_bytes)
      : found(workspace.take<LossStatus>(1)),
        x(workspace.take<C>(rows * width)),
        lengths(workspace.take<C>(rows)),
        w(workspace.take<C>(classes * width)),
        w_lengths(workspace.take<C>(classes)),
        turned(workspace.take<C>(classes * width)),
        logits(workspace.take<C>(rows * classes)),
        slopes(workspace.take<C>(rows)),
        gradients(workspace.take<C>(rows * width)),
        products(workspace.take<char>(products_bytes)),
        entropy(workspace.take<char>(entropy_bytes)) {}
};

}  // namespace tyto::kernels
