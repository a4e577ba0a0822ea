#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "kernels/image/bicubic.h"

namespace tyto::kernels {
namespace {

// The four neighbours of one output along one axis.
struct Taps {
  std::array<int64_t, 4> index;
  std::array<float, 4> weight;
};

constexpr float kA = -0.75f;
float near_weight(float x) { return ((kA + 2) * x - (kA + 3)) * x * x + 1; }         // |x| <= 1
float far_weight(float x) { return ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA; }  // 1 < |x| < 2

// As torch's CPU code: the step is rounded to float, the position along it is not.
std::vector<Taps> taps_of(int64_t in_size, int64_t out_size, double scale) {
  const float step = static_cast<float>(1.0 / scale);
  std::vector<Taps> taps(out_size);
  for (int64_t i = 0; i < out_size; ++i) {
    const double position = step * (static_cast<double>(i) + 0.5) - 0.5;
    const double floor = std::floor(position);
    const float t = static_cast<float>(position - floor);
    const int64_t first = static_cast<int64_t>(floor) - 1;
    for (int k = 0; k < 4; ++k) taps[i].index[k] = std::clamp<int64_t>(first + k, 0, in_size - 1);
    taps[i].weight = {far_weight(t + 1), near_weight(t), near_weight(1 - t), far_weight((1 - t) + 1)};
  }
  return taps;
}

void blend_row(const float* row, const std::vector<Taps>& taps, float* out) {
  for (size_t x = 0; x < taps.size(); ++x) {
    const Taps& t = taps[x];
    float sum = row[t.index[0]] * t.weight[0];
    for (int k = 1; k < 4; ++k) sum += row[t.index[k]] * t.weight[k];
    out[x] = sum;
  }
}

void blend_rows(const std::array<const float*, 4>& rows, const std::array<float, 4>& weight, int64_t width,
                float* out) {
  for (int64_t x = 0; x < width; ++x) {
    float sum = rows[0][x] * weight[0];
    for (int k = 1; k < 4; ++k) sum += rows[k][x] * weight[k];
    out[x] = sum;
  }
}

}  // namespace

int64_t bicubic_size(int64_t size, double scale) {
  return static_cast<int64_t>(std::floor(static_cast<double>(size) * scale));
}

void bicubic_cpu(const float* in, float* out, const BicubicParams& p) {
  const int64_t out_height = bicubic_size(p.height, p.scale), out_width = bicubic_size(p.width, p.scale);
  if (p.height < 1 || p.width < 1 || out_height < 1 || out_width < 1)
    throw std::invalid_argument("bicubic_cpu: a size is not positive");
  const std::vector<Taps> across = taps_of(p.width, out_width, p.scale);
  const std::vector<Taps> down = taps_of(p.height, out_height, p.scale);
  // Rows after the horizontal pass, row y in slot y % 4: the four that one output needs are neighbours.
  std::vector<float> ring(4 * out_width);
  for (int64_t plane = 0; plane < p.planes; ++plane, in += p.height * p.width) {
    std::array<int64_t, 4> held = {-1, -1, -1, -1};
    for (const Taps& t : down) {
      std::array<const float*, 4> rows;
      for (int k = 0; k < 4; ++k) {
        const int64_t y = t.index[k], slot = y % 4;
        if (held[slot] != y) blend_row(in + y * p.width, across, &ring[slot * out_width]);
        held[slot] = y;
        rows[k] = &ring[slot * out_width];
      }
      blend_rows(rows, t.weight, out_width, out);
      out += out_width;
    }
  }
}

}  // namespace tyto::kernels
