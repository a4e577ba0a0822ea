// ArcFace, CosFace and SphereFace: cross entropy over the cosines between a feature and one weight a class,
// with a margin on the label's own. As pytorch-metric-learning 2.9 has them and layumi's
// Person_reID_baseline_pytorch calls them, after F.normalize; train.py divides the value by the batch's size,
// this does not.
#pragma once

#include <numbers>

#include "kernels/losses/loss.h"

namespace tyto::kernels {

enum class AngularMargin { ArcFace, CosFace, SphereFace };

// cos_c = f w_c / (||f|| ||w_c||), theta = acos cos_y for the label y; logits scale * cos_c, but scale * psi
// of y:
//   ArcFace     psi = cos(theta + margin) where theta <= pi - margin, else cos theta - margin sin margin
//   CosFace     psi = cos theta - margin
//   SphereFace  psi = (-1)^k cos(margin theta) - 2k, k = floor(margin theta / pi), of which no gradient is
//               taken; the library multiplies logits by ||f||, which is 1 for whoever normalises first
// value = mean cross entropy. The library's gradient of ArcFace is NaN where cos_y is 1 or -1; there no
// gradient goes through psi.
struct MarginSoftmax {
  AngularMargin method = AngularMargin::ArcFace;
  double margin =
      28.6 / 180 * std::numbers::pi;  // ArcFace: radians, in [0, pi]; SphereFace: whole, at least 1
  double scale = 64;
};

inline constexpr MarginSoftmax kArcFace{};
inline constexpr MarginSoftmax kCosFace{.method = AngularMargin::CosFace, .margin = 0.35, .scale = 64};
inline constexpr MarginSoftmax kSphereFace{.method = AngularMargin::SphereFace, .margin = 4, .scale = 1};

// One column a class, as the library keeps them.
template <class T>
struct ClassWeights {
  const T* values = nullptr;  // [width, classes]
  int64_t classes = 0;
  T* gradient = nullptr;  // [width, classes]: scale of LossOutput * d value / d values; null: not wanted
};

// features  [rows, width], labels in [0, classes)
// A row or a column no longer than 1e-12 is taken for zeros and has no gradient. Without rows the value is
// NaN, as torch's mean of nothing, and the weights' gradient 0. A fault makes the value and all gradients
// NaN; of a fault in the weights the status says the class.
// workspace: margin_softmax_cpu_workspace() or margin_softmax_workspace() bytes; rows *
// classes and classes * width < 2^31.
template <class T>
void margin_softmax_cpu(const LabelledRows<T>& features, const ClassWeights<T>&, const MarginSoftmax&,
                        const LossOutput<T>&, void* workspace);
template <class T>
int64_t margin_softmax_cpu_workspace(int64_t rows, int64_t width, int64_t classes);

template <class T>
void margin_softmax(const LabelledRows<T>& features, const ClassWeights<T>&, const MarginSoftmax&,
                    const LossOutput<T>&, void* workspace, Stream);
template <class T>
int64_t margin_softmax_workspace(int64_t rows, int64_t width, int64_t classes);

}  // namespace tyto::kernels
