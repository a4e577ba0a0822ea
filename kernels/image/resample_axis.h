// The weights with which one axis of an image is resampled, in Pillow's and OpenCV's fixed point.
#pragma once

#include <cstdint>
#include <vector>

namespace tyto::kernels {

enum class Resampling : uint8_t {
  PilBilinear,
  PilBicubic,
  PilLanczos,
  CvBilinear,
  TorchBilinear,
  SkimageBilinear
};

// Not those of resize_bilinear.h, whose results are floats.
inline bool gives_bytes(Resampling resampling) {
  return resampling != Resampling::TorchBilinear && resampling != Resampling::SkimageBilinear;
}

inline constexpr int kPilPrecisionBits = 32 - 8 - 2;  // Pillow's PRECISION_BITS
inline constexpr int kCvCoefficientBits = 11;         // OpenCV's INTER_RESIZE_COEF_BITS

// What the weights depend on. Only the outputs begin..end-1 of out_size are computed.
struct AxisRange {
  int in_size = 0, out_size = 0, begin = 0, end = 0;
  Resampling resampling = Resampling::PilBilinear;

  bool operator==(const AxisRange&) const = default;
};

int resample_taps(
    const AxisRange& range);  // the most inputs that one output reads, at the edges of the image too

// The inputs begin..end-1 that the outputs of a range read. Pil* only.
struct AxisInputs {
  int begin = 0, end = 0;
};
AxisInputs pil_inputs(const AxisRange& range);

// Output begin + i is the sum over t < count[i] of weights[i * taps + t] * input[first[i] + t], in units of
// 2^-kPilPrecisionBits or 2^-kCvCoefficientBits. first and first + count never fall as i rises. CvBilinear
// always has two weights; beyond a border both are for the border pixel, and count is 1.
struct ResampleAxis {
  AxisRange range;
  int taps = 0;
  std::vector<int32_t> first, count, weights;
  std::vector<double> real;  // one output's weights before rounding
};

// Makes `axis` the weights for `range`; a no-op if it holds them already. Weights in double, rounded once:
// the same on every machine. A range with 1 <= in_size, out_size and 0 <= begin < end <= out_size.
void prepare_axis(ResampleAxis& axis, const AxisRange& range);

}  // namespace tyto::kernels
