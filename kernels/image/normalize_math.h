// The arithmetic of normalisation, shared by CPU and CUDA: compile without fused multiply-add.
#pragma once

#include "kernels/common/host_device.h"
#include "kernels/image/normalize.h"

namespace tyto::kernels {

// The channel of an RGB pixel that a plane shows.
TYTO_HOST_DEVICE inline int channel_of(ChannelOrder order, int plane) {
  return order == ChannelOrder::RGB ? plane : 2 - plane;
}

TYTO_HOST_DEVICE inline float normalized(float value, const NormalizeParams& p, int plane) {
  const float scaled = p.scale == 1.0f / 255 ? value / 255.0f : value * p.scale;
  return (scaled - p.mean[plane]) / p.std[plane];
}

// What a plane shows of a pixel whose lowest byte is red.
TYTO_HOST_DEVICE inline float normalized_pixel(uint32_t pixel, const NormalizeParams& p, int plane) {
  return normalized(static_cast<float>(pixel >> 8 * channel_of(p.order, plane) & 255), p, plane);
}

}  // namespace tyto::kernels
