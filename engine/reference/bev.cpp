// Maps seen from above, point by point.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "engine/reference/operators.h"

namespace tyto {
namespace {

using Vector = std::array<double, 3>;
using Matrix = std::array<Vector, 3>;  // rows

// The upper left 3x3 of matrix i of rows of matrices.
Matrix matrix_of(const Array& matrices, int64_t i) {
  const auto side = static_cast<size_t>(matrices.shape[3]);
  Matrix m;
  for (size_t r = 0; r < 3; ++r)
    for (size_t c = 0; c < 3; ++c) m[r][c] = matrices.values[(static_cast<size_t>(i) * side + r) * side + c];
  return m;
}

Vector times(const Matrix& m, const Vector& v) {
  Vector out{};
  for (size_t r = 0; r < 3; ++r)
    for (size_t c = 0; c < 3; ++c) out[r] += m[r][c] * v[c];
  return out;
}

// x with m x = v, by elimination with pivots; none where m has no inverse.
std::optional<Vector> solved(Matrix m, Vector v) {
  for (size_t c = 0; c < 3; ++c) {
    size_t pivot = c;
    for (size_t r = c; r < 3; ++r)
      if (std::abs(m[r][c]) > std::abs(m[pivot][c])) pivot = r;
    if (m[pivot][c] == 0) return std::nullopt;
    std::swap(m[c], m[pivot]);
    std::swap(v[c], v[pivot]);
    for (size_t r = 0; r < 3; ++r) {
      if (r == c) continue;
      const double factor = m[r][c] / m[c][c];
      for (size_t k = 0; k < 3; ++k) m[r][k] -= factor * m[c][k];
      v[r] -= factor * v[c];
    }
  }
  for (size_t c = 0; c < 3; ++c) v[c] /= m[c][c];
  return v;
}

// Which cell a point falls into.
std::optional<int64_t> cell_at(const kernels::BevGrid& grid, const Vector& p) {
  std::array<int64_t, 3> at{};
  for (size_t axis = 0; axis < 3; ++axis) {
    const double cells = (p[axis] - grid.lower[axis]) / grid.step[axis];
    const double whole =
        grid.rounding == kernels::CellRounding::Truncate ? std::trunc(cells) : std::floor(cells);
    if (!(whole >= 0 && whole < grid.cells[axis])) return std::nullopt;
    at[axis] = static_cast<int64_t>(whole);
  }
  const bool xy = grid.axes == kernels::GridAxes::XY;
  return ((xy ? at[0] : at[1]) * grid.columns() + (xy ? at[1] : at[0])) * grid.levels() + at[2];
}

double spread(int64_t i, int count, int size) {
  return count == 1 ? 0 : static_cast<double>(i) * (size - 1) / (count - 1);
}

// Calls f(column, row, p) for each point of a sample's cameras; columns as in BevRun.
template <class F>
void for_each_point(const kernels::Frustum& f, const Call& call, int64_t sample, const F& each) {
  const Array &intrinsics = call.x(), &poses = *call.in[1], &augmentations = *call.in[2];
  const int64_t cameras = intrinsics.shape[1];
  for (int64_t camera = 0; camera < cameras; ++camera) {
    const int64_t i = sample * cameras + camera;
    const Matrix k = matrix_of(intrinsics, i), a = matrix_of(augmentations, i), r = matrix_of(poses, i);
    for (int64_t bin = 0; bin < f.bins; ++bin)
      for (int64_t x = 0; x < f.width; ++x)
        for (int64_t y = 0; y < f.height; ++y) {
          const double depth = f.first_depth + static_cast<double>(bin) * f.depth_step;
          const auto pixel = solved(a, {spread(x, f.width, f.image_width) * depth,
                                        spread(y, f.height, f.image_height) * depth, depth});
          const auto ray = pixel ? solved(k, *pixel) : std::nullopt;
          if (!ray) continue;
          Vector p = times(r, *ray);
          for (size_t axis = 0; axis < 3; ++axis)
            p[axis] += poses.values[static_cast<size_t>(i) * 16 + axis * 4 + 3];
          each((camera * f.bins + bin) * f.width + x, y, p);
        }
  }
}

// A BevRun as the two numbers that its memory is.
constexpr int kRowsShift = 16;

int32_t packed(int64_t first_row, int64_t rows) {
  return static_cast<int32_t>(static_cast<uint32_t>(first_row) | static_cast<uint32_t>(rows) << kRowsShift);
}

// The weights that a pixel's depth gives its bins.
std::vector<double> depth_weights(const Array& depth, const BevPool& op, int64_t image, int64_t y,
                                  int64_t x) {
  std::vector<double> weights;
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (int64_t bin = 0; bin < op.frustum.bins; ++bin) {
    weights.push_back(depth.at(image, bin, y, x));
    largest = std::max(largest, weights.back());
  }
  if (!op.logits) return weights;
  for (double& w : weights) sum += w = std::exp(w - largest);
  for (double& w : weights) w /= sum;
  return weights;
}

}  // namespace

Results reference(const BevIndexing& op, const Call& call) {
  Array starts = call.result(0), runs = call.result(1);
  const int64_t samples = starts.shape[0], cells = op.grid.size();
  for (int64_t s = 0; s < samples; ++s) {
    std::map<int64_t, std::map<int64_t, std::vector<int64_t>>> rows_of;  // by cell and column, rising
    for_each_point(op.frustum, call, s, [&](int64_t column, int64_t row, const Vector& p) {
      if (const auto cell = cell_at(op.grid, p)) rows_of[*cell][column].push_back(row);
    });
    double* const start = &starts.values[static_cast<size_t>(s * (cells + 1))];
    double* const first = &runs.values[static_cast<size_t>(s * runs.shape[1] * 2)];
    int64_t count = 0;
    for (int64_t cell = 0; cell < cells; ++cell) {
      start[cell] = static_cast<double>(count);
      for (const auto& [column, rows] : rows_of[cell])
        for (size_t i = 0; i < rows.size();) {
          size_t end = i + 1;
          while (end < rows.size() && rows[end] == rows[end - 1] + 1) ++end;
          first[2 * count] = static_cast<double>(column);
          first[2 * count + 1] = packed(rows[i], static_cast<int64_t>(end - i));
          ++count;
          i = end;
        }
    }
    start[cells] = static_cast<double>(count);
  }
  return {std::move(starts), std::move(runs)};
}

Results reference(const BevPool& op, const Call& call) {
  using kernels::BevReduction;
  const Array &depth = call.x(), &features = *call.in[1], &starts = *call.in[2], &runs = *call.in[3];
  Array out = call.result();
  const int64_t samples = starts.shape[0], cells = op.grid.size(), levels = op.grid.levels(),
                channels = features.shape[1], cameras = features.shape[0] / samples;
  std::map<std::array<int64_t, 3>, std::vector<double>> weights;  // by image, row and column
  const auto weight_of = [&](int64_t image, int64_t bin, int64_t y, int64_t x) {
    std::vector<double>& pixel = weights[{image, y, x}];
    if (pixel.empty()) pixel = depth_weights(depth, op, image, y, x);
    return pixel[static_cast<size_t>(bin)];
  };
  for (int64_t s = 0; s < samples; ++s)
    for (int64_t cell = 0; cell < cells; ++cell) {
      const double* const start = &starts.values[static_cast<size_t>(s * (cells + 1) + cell)];
      const int64_t pixel = cell / levels, level = cell % levels;
      int64_t points = 0;
      for (auto r = static_cast<int64_t>(start[0]); r < static_cast<int64_t>(start[1]); ++r) {
        const double* const run = &runs.values[static_cast<size_t>((s * runs.shape[1] + r) * 2)];
        const auto column = static_cast<int64_t>(run[0]);
        const auto rows = static_cast<uint32_t>(static_cast<int32_t>(run[1]));
        const int64_t x = column % op.frustum.width, bin = column / op.frustum.width % op.frustum.bins,
                      image = s * cameras + column / op.frustum.columns();
        for (int64_t i = 0; i < rows >> kRowsShift; ++i, ++points) {
          const int64_t y = (rows & 0xffff) + i;
          const double weight = weight_of(image, bin, y, x);
          for (int64_t c = 0; c < channels; ++c) {
            double& sum =
                out.at(s, level * channels + c, pixel / op.grid.columns(), pixel % op.grid.columns());
            const double term = weight * features.at(image, c, y, x);
            if (op.reduction != BevReduction::Max)
              sum += term;
            else
              sum = points == 0 ? term : std::max(sum, term);
          }
        }
      }
      if (op.reduction == BevReduction::Mean && points > 0)
        for (int64_t c = 0; c < channels; ++c)
          out.at(s, level * channels + c, pixel / op.grid.columns(), pixel % op.grid.columns()) /=
              static_cast<double>(points);
    }
  return out;
}

}  // namespace tyto
