// The samples of roi_align.h along one axis, the same bits on CPU and CUDA (no multiply-add is fused).
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/common/host_device.h"
#include "kernels/detection/roi_align.h"

namespace tyto::kernels {

struct AlignAxis {
  float start, bin;  // cells
  int samples;       // a bin
};

// low and high: the region's sides in pixels of the network's input.
TYTO_HOST_DEVICE inline AlignAxis align_axis(float low, float high, float scale, int bins,
                                             const RoiAlign& params) {
  const float offset = params.aligned ? 0.5f : 0.0f;
  const float start = low * scale - offset, end = high * scale - offset;
  const float size = params.aligned ? end - start : std::max(end - start, 1.0f);
  const float bin = size / static_cast<float>(bins);
  int samples = params.sampling_ratio;
  if (samples <= 0)  // a NaN gives none
    samples = bin > 0 ? static_cast<int>(std::min(std::ceil(bin), static_cast<float>(kMaxSamples))) : 0;
  return {start, bin, samples};
}

// What a bin's sum is divided by.
TYTO_HOST_DEVICE inline float samples_of_bin(const AlignAxis& y, const AlignAxis& x) {
  return static_cast<float>(std::max(y.samples * x.samples, 1));
}

// Two cells and their weights.
struct AlignTap {
  int low, high;
  float weight_low, weight_high;
};

// Returns whether the sample is on the map.
TYTO_HOST_DEVICE inline bool align_tap(const AlignAxis& axis, int bin, int sample, int extent,
                                       AlignTap& tap) {
  float at = axis.start + static_cast<float>(bin) * axis.bin +
             (static_cast<float>(sample) + 0.5f) * axis.bin / static_cast<float>(axis.samples);
  if (!(at >= -1.0f && at <= static_cast<float>(extent))) return false;
  at = std::max(at, 0.0f);
  tap.low = std::min(static_cast<int>(at), extent - 1);
  tap.high = std::min(tap.low + 1, extent - 1);
  if (tap.low == tap.high) at = static_cast<float>(tap.low);
  tap.weight_high = at - static_cast<float>(tap.low);
  tap.weight_low = 1.0f - tap.weight_high;
  return true;
}

}  // namespace tyto::kernels
