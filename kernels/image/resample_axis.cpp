#include "kernels/image/resample_axis.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tyto::kernels {
namespace {

struct Filter {
  double (*value)(double);
  double support;
};

double bilinear(double x) {
  x = std::abs(x);
  return x < 1 ? 1 - x : 0;
}

double bicubic(double x) {  // Keys' kernel with a = -0.5
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

Filter filter_of(Resampling resampling) {
  if (resampling == Resampling::PilBicubic) return {bicubic, 2};
  if (resampling == Resampling::PilLanczos) return {lanczos, 3};
  return {bilinear, 1};
}

// A filter laid over an axis, each operation in the order of Pillow's precompute_coeffs. When shrinking, the
// filter is widened by the scale, which is the antialiasing.
struct PilAxis {
  explicit PilAxis(const AxisRange& range)
      : filter(filter_of(range.resampling)),
        in_size(range.in_size),
        scale(static_cast<double>(range.in_size) / range.out_size),
        filter_scale(std::max(scale, 1.0)),
        support(filter.support * filter_scale) {}

  int taps() const { return static_cast<int>(std::ceil(support)) * 2 + 1; }
  double center(int output) const { return (output + 0.5) * scale; }
  // The inputs of the output around a centre.
  int first(double center) const { return std::max(static_cast<int>(center - support + 0.5), 0); }
  int end(double center) const { return std::min(static_cast<int>(center + support + 0.5), in_size); }

  Filter filter;
  int in_size;
  double scale, filter_scale, support;
};

// Pillow's precompute_coeffs and normalize_coeffs_8bpc.
void prepare_pil(ResampleAxis& axis) {
  const AxisRange& range = axis.range;
  const PilAxis pil(range);
  const double inverse = 1.0 / pil.filter_scale;
  axis.taps = pil.taps();
  axis.real.resize(axis.taps);
  axis.weights.assign(static_cast<size_t>(range.end - range.begin) * axis.taps, 0);
  for (int i = 0; i < range.end - range.begin; ++i) {
    const double center = pil.center(range.begin + i);
    const int first = pil.first(center);
    const int count = pil.end(center) - first;
    double sum = 0;
    for (int t = 0; t < count; ++t) {
      axis.real[t] = pil.filter.value((t + first - center + 0.5) * inverse);
      sum += axis.real[t];
    }
    int32_t* weights = &axis.weights[static_cast<size_t>(i) * axis.taps];
    for (int t = 0; t < count; ++t) {
      const double weight = sum != 0 ? axis.real[t] / sum : axis.real[t];
      weights[t] = static_cast<int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kPilPrecisionBits));
    }
    axis.first[i] = first;
    axis.count[i] = count;
  }
}

// OpenCV's resize() for INTER_LINEAR: positions in float, weights rounded to the nearest, half to even.
void prepare_opencv(ResampleAxis& axis) {
  const AxisRange& range = axis.range;
  const double scale = 1.0 / (static_cast<double>(range.out_size) / range.in_size);
  constexpr float one = 1 << kCvCoefficientBits;
  axis.taps = 2;
  axis.weights.assign(static_cast<size_t>(range.end - range.begin) * 2, 0);
  for (int i = 0; i < range.end - range.begin; ++i) {
    const float position = static_cast<float>((range.begin + i + 0.5) * scale - 0.5);
    const int floor = static_cast<int>(std::floor(position));
    const float fraction = position - static_cast<float>(floor);
    const bool inside = floor >= 0 && floor < range.in_size - 1;
    axis.first[i] = std::clamp(floor, 0, range.in_size - 1);
    axis.count[i] = inside ? 2 : 1;
    axis.weights[2 * i] = static_cast<int32_t>(std::lrint((1.0f - fraction) * one));
    axis.weights[2 * i + 1] = static_cast<int32_t>(std::lrint(fraction * one));
  }
}

}  // namespace

int resample_taps(const AxisRange& range) {
  return range.resampling == Resampling::CvBilinear ? 2 : PilAxis(range).taps();
}

AxisInputs pil_inputs(const AxisRange& range) {
  const PilAxis pil(range);
  return {pil.first(pil.center(range.begin)), pil.end(pil.center(range.end - 1))};
}

void prepare_axis(ResampleAxis& axis, const AxisRange& range) {
  if (axis.range == range) return;
  axis.range = range;
  axis.first.resize(range.end - range.begin);
  axis.count.resize(range.end - range.begin);
  if (range.resampling == Resampling::CvBilinear)
    prepare_opencv(axis);
  else
    prepare_pil(axis);
}

}  // namespace tyto::kernels
