#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "kernels/image/bicubic.h"
#include "kernels/image/bicubic_math.h"

namespace tyto::kernels {
namespace {

std::vector<CubicTaps> taps_of(int64_t in_size, int64_t out_size, double scale) {
  std::vector<CubicTaps> taps(out_size);
  for (int64_t i = 0; i < out_size; ++i) taps[i] = cubic_taps(i, in_size, static_cast<float>(1.0 / scale));
  return taps;
}

void blend_row(const float* row, const std::vector<CubicTaps>& taps, float* out) {
  for (size_t x = 0; x < taps.size(); ++x) {
    const CubicTaps& t = taps[x];
    out[x] = cubic_sum({row[t.index[0]], row[t.index[1]], row[t.index[2]], row[t.index[3]]}, t.weight);
  }
}

void blend_rows(const std::array<const float*, 4>& rows, const float (&weight)[4], int64_t width,
                float* out) {
  for (int64_t x = 0; x < width; ++x)
    out[x] = cubic_sum({rows[0][x], rows[1][x], rows[2][x], rows[3][x]}, weight);
}

}  // namespace

int64_t bicubic_size(int64_t size, double scale) {
  return static_cast<int64_t>(std::floor(static_cast<double>(size) * scale));
}

void bicubic_cpu(const float* in, float* out, const BicubicParams& p) {
  const int64_t out_height = bicubic_size(p.height, p.scale), out_width = bicubic_size(p.width, p.scale);
  if (p.height < 1 || p.width < 1 || out_height < 1 || out_width < 1)
    throw std::invalid_argument("bicubic_cpu: a size is not positive");
  const std::vector<CubicTaps> across = taps_of(p.width, out_width, p.scale);
  const std::vector<CubicTaps> down = taps_of(p.height, out_height, p.scale);
  // Rows after the horizontal pass, row y in slot y % 4: the four that one output needs are neighbours.
  std::vector<float> ring(4 * out_width);
  for (int64_t plane = 0; plane < p.planes; ++plane, in += p.height * p.width) {
    std::array<int64_t, 4> held = {-1, -1, -1, -1};
    for (const CubicTaps& t : down) {
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
