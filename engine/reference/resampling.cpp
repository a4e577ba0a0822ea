// Maps of other sizes.
#include <algorithm>
#include <cmath>

#include "engine/reference/operators.h"

namespace tyto {
namespace {

// Where output cell i reads along one axis: between two cells, `blend` of the second.
struct Between {
  int64_t first, second;
  double blend;
};

Between between(int64_t i, int64_t in, int64_t out, const Upsample& op) {
  const bool corners = op.mode == kernels::Upsampling::BilinearCorners;
  double step = static_cast<double>(in) / static_cast<double>(out);
  if (corners) step = out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
  if (!corners && op.scale > 0) step = 1 / double{op.scale};
  const auto place = static_cast<double>(i);
  if (op.mode == kernels::Upsampling::Nearest) {
    const int64_t at = std::min(static_cast<int64_t>(std::floor(place * step)), in - 1);
    return {at, at, 0};
  }
  const double at = corners ? place * step : std::max(0.0, (place + 0.5) * step - 0.5);
  const int64_t first = std::min(static_cast<int64_t>(at), in - 1);
  return {first, std::min(first + 1, in - 1), std::min(1.0, at - static_cast<double>(first))};
}

int64_t reflected(int64_t at, int64_t size) { return at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at; }

}  // namespace

Results reference(const Upsample& op, const Call& call) {
  Array y = call.result();
  const Array& x = call.x();
  for_each_element(y.shape, [&](int64_t n, int64_t c, int64_t i, int64_t j) {
    const Between r = between(i, x.shape[2], y.shape[2], op), s = between(j, x.shape[3], y.shape[3], op);
    const auto row = [&](int64_t at) {
      return x.at(n, c, at, s.first) * (1 - s.blend) + x.at(n, c, at, s.second) * s.blend;
    };
    y.at(n, c, i, j) = row(r.first) * (1 - r.blend) + row(r.second) * r.blend;
  });
  return y;
}

Results reference(const Pad& op, const Call& call) {
  Array y = call.result();
  const Array& x = call.x();
  const int64_t height = x.shape[2], width = x.shape[3];
  for_each_element(y.shape, [&](int64_t n, int64_t c, int64_t i, int64_t j) {
    int64_t row = i - op.padding.top, column = j - op.padding.left;
    const bool inside = row >= 0 && column >= 0 && row < height && column < width;
    if (!inside && op.mode == kernels::PadMode::Zeros) return;
    if (op.mode == kernels::PadMode::Reflect) row = reflected(row, height), column = reflected(column, width);
    y.at(n, c, i, j) =
        x.at(n, c, std::clamp<int64_t>(row, 0, height - 1), std::clamp<int64_t>(column, 0, width - 1));
  });
  return y;
}

}  // namespace tyto
