#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/norm/norm.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kLanes = 16;  // channels of a block that are worked on together

// Calls body(image, block, first channel, first lane, lanes) for every group of lanes, in parallel; each
// group is one thread's, so results do not depend on their number.
template <class Body>
void for_each_lane_group(const ChannelBlocks<const float>& x, const Body& body) {
  const int64_t groups = (x.block + kLanes - 1) / kLanes, work = x.n * x.blocks() * groups;
#pragma omp parallel for schedule(static)
  for (int64_t w = 0; w < work; ++w) {
    const int64_t image = w / (x.blocks() * groups), block = w / groups % x.blocks(),
                  lane = w % groups * kLanes;
    body(image, block, block * x.block + lane, lane, std::min(kLanes, x.block - lane));
  }
}

constexpr Clamp kNoClamp = {-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()};

float clamped(float v, Clamp clamp) { return std::min(std::max(v, clamp.low), clamp.high); }

void affine_lanes(const float* from, float* to, int64_t area, int64_t block, int64_t lanes,
                  const float* scale, const float* shift, Clamp clamp) {
  for (int64_t p = 0; p < area; ++p, from += block, to += block)
    for (int64_t l = 0; l < lanes; ++l) to[l] = clamped(from[l] * scale[l] + shift[l], clamp);
}

// Mean and 1 / sqrt(variance + epsilon) of each lane over the image, in two passes.
void lane_statistics(const float* x, int64_t area, int64_t block, int64_t lanes, float epsilon, double* mean,
                     double* rstd) {
  double sum[kLanes] = {}, squares[kLanes] = {};
  const float* v = x;
  for (int64_t p = 0; p < area; ++p, v += block)
    for (int64_t l = 0; l < lanes; ++l) sum[l] += double{v[l]};
  for (int64_t l = 0; l < lanes; ++l) mean[l] = sum[l] / static_cast<double>(area);
  v = x;
  for (int64_t p = 0; p < area; ++p, v += block)
    for (int64_t l = 0; l < lanes; ++l) squares[l] += (v[l] - mean[l]) * (v[l] - mean[l]);
  for (int64_t l = 0; l < lanes; ++l)
    rstd[l] = 1.0 / std::sqrt(squares[l] / static_cast<double>(area) + double{epsilon});
}

}  // namespace

void instance_norm_cpu(const ChannelBlocks<const float>& x, const float* scale, const float* shift,
                       int64_t count, float epsilon, Clamp clamp, const ChannelBlocks<float>& y) {
  for_each_lane_group(x, [&](int64_t image, int64_t block, int64_t channel, int64_t lane, int64_t lanes) {
    const float* from = x.at(image, block) + lane;
    double mean[kLanes], rstd[kLanes];
    if (channel < count) lane_statistics(from, x.area(), x.block, lanes, epsilon, mean, rstd);
    float a[kLanes], b[kLanes];
    for (int64_t l = 0; l < lanes; ++l) {
      const int64_t c = channel + l;
      a[l] = c < count ? static_cast<float>(rstd[l] * scale[c]) : 1.0f;
      b[l] = c < count ? static_cast<float>(shift[c] - mean[l] * rstd[l] * scale[c]) : 0.0f;
    }
    affine_lanes(from, y.at(image, block) + lane, x.area(), x.block, lanes, a, b, clamp);
  });
}

void channel_affine_cpu(const ChannelBlocks<const float>& x, const float* scale, const float* shift,
                        Clamp clamp, const ChannelBlocks<float>& y) {
  for_each_lane_group(x, [&](int64_t image, int64_t block, int64_t channel, int64_t lane, int64_t lanes) {
    float a[kLanes], b[kLanes];
    for (int64_t l = 0; l < lanes; ++l) {
      const bool real = channel + l < x.channels;
      a[l] = real ? scale[channel + l] : 1.0f;
      b[l] = real ? shift[channel + l] : 0.0f;
    }
    affine_lanes(x.at(image, block) + lane, y.at(image, block) + lane, x.area(), x.block, lanes, a, b, clamp);
  });
}

void scale_channels_cpu(const ChannelBlocks<const float>& x, const ChannelBlocks<const float>& scales,
                        const ChannelBlocks<float>& y) {
  for_each_lane_group(x, [&](int64_t image, int64_t block, int64_t channel, int64_t lane, int64_t lanes) {
    float a[kLanes];
    for (int64_t l = 0; l < lanes; ++l) {
      const int64_t c = channel + l;
      a[l] = c < x.channels ? scales.at(image, c / scales.block)[c % scales.block] : 0.0f;
    }
    const float b[kLanes] = {};
    affine_lanes(x.at(image, block) + lane, y.at(image, block) + lane, x.area(), x.block, lanes, a, b,
                 kNoClamp);
  });
}

}  // namespace tyto::kernels
