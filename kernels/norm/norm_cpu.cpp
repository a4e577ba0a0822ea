#include <algorithm>
#include <cmath>

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

// What a channel's pixels say of it.
struct Moments {
  double mean, squares;  // squared deviations from the mean, added
};

// The first `real` of the lanes, the others being padding.
void affine_lanes(const float* from, float* to, int64_t area, int64_t block, int64_t lanes, int64_t real,
                  const float* scale, const float* shift, Activation activation) {
  with_activation(activation, [=](const auto& f) {
    const float* v = from;
    float* y = to;
    for (int64_t p = 0; p < area; ++p, v += block, y += block)
      for (int64_t l = 0; l < real; ++l) y[l] = f(v[l] * scale[l] + shift[l]);
  });
  if (real == lanes) return;
  for (int64_t p = 0; p < area; ++p, to += block) std::fill(to + real, to + lanes, 0.0f);
}

// In two passes.
void measure_lanes(const float* x, int64_t area, int64_t block, int64_t lanes, Moments* moments) {
  double sum[kLanes] = {}, mean[kLanes], squares[kLanes] = {};
  const float* v = x;
  for (int64_t p = 0; p < area; ++p, v += block)
    for (int64_t l = 0; l < lanes; ++l) sum[l] += double{v[l]};
  for (int64_t l = 0; l < lanes; ++l) mean[l] = sum[l] / static_cast<double>(area);
  v = x;
  for (int64_t p = 0; p < area; ++p, v += block)
    for (int64_t l = 0; l < lanes; ++l) squares[l] += (v[l] - mean[l]) * (v[l] - mean[l]);
  for (int64_t l = 0; l < lanes; ++l) moments[l] = {mean[l], squares[l]};
}

// Of `count` channels of as many pixels each.
Moments together(const Moments* channels, int64_t count, int64_t area) {
  Moments all = {0, 0};
  for (int64_t c = 0; c < count; ++c) all.mean += channels[c].mean / static_cast<double>(count);
  for (int64_t c = 0; c < count; ++c) {
    const double delta = channels[c].mean - all.mean;
    all.squares += channels[c].squares + delta * delta * static_cast<double>(area);
  }
  return all;
}

}  // namespace

void group_norm_cpu(const ChannelBlocks<const float>& x, const float* scale, const float* shift,
                    const GroupNorm& params, const ChannelBlocks<float>& y, double* moments) {
  const int64_t count = params.channels, width = std::max<int64_t>(count / params.groups, 1);
  auto* measured = reinterpret_cast<Moments*>(moments);
  const auto measure = [&](int64_t image, int64_t block, int64_t channel, int64_t lane, int64_t lanes) {
    if (channel >= count) return;
    measure_lanes(x.at(image, block) + lane, x.area(), x.block, std::min(lanes, count - channel),
                  measured + image * count + channel);
  };
  const auto write = [&](int64_t image, int64_t block, int64_t channel, int64_t lane, int64_t lanes) {
    float a[kLanes], b[kLanes];
    for (int64_t l = 0; l < lanes; ++l) {
      const int64_t c = channel + l;
      a[l] = 1.0f;
      b[l] = 0.0f;
      if (c >= count) continue;
      const Moments group = together(measured + image * count + c / width * width, width, x.area());
      const double variance = group.squares / static_cast<double>(x.area() * width),
                   by = (scale ? scale[c] : 1.0) / std::sqrt(variance + double{params.epsilon});
      a[l] = static_cast<float>(by);
      b[l] = static_cast<float>((shift ? shift[c] : 0.0) - group.mean * by);
    }
    affine_lanes(x.at(image, block) + lane, y.at(image, block) + lane, x.area(), x.block, lanes,
                 std::clamp<int64_t>(x.channels - channel, 0, lanes), a, b, params.activation);
  };
  if (width > 1) {
    for_each_lane_group(x, measure);
    for_each_lane_group(x, write);
    return;
  }
  // A channel by itself is written while it is in the cache.
  for_each_lane_group(x, [&](auto... at) {
    measure(at...);
    write(at...);
  });
}

void channel_affine_cpu(const ChannelBlocks<const float>& x, const float* scale, const float* shift,
                        Activation activation, const ChannelBlocks<float>& y) {
  for_each_lane_group(x, [&](int64_t image, int64_t block, int64_t channel, int64_t lane, int64_t lanes) {
    float a[kLanes], b[kLanes];
    for (int64_t l = 0; l < lanes; ++l) {
      const bool real = channel + l < x.channels;
      a[l] = real ? scale[channel + l] : 1.0f;
      b[l] = real ? shift[channel + l] : 0.0f;
    }
    affine_lanes(x.at(image, block) + lane, y.at(image, block) + lane, x.area(), x.block, lanes,
                 std::clamp<int64_t>(x.channels - channel, 0, lanes), a, b, activation);
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
    affine_lanes(x.at(image, block) + lane, y.at(image, block) + lane, x.area(), x.block, lanes,
                 std::clamp<int64_t>(x.channels - channel, 0, lanes), a, b, Activation::None);
  });
}

}  // namespace tyto::kernels
