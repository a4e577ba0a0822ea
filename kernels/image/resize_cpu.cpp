#include "kernels/image/resize.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "kernels/image/resize_opencv_cpu.h"
#include "kernels/image/weighted_sum_cpu.h"

namespace tyto::kernels {
namespace {

// Rows resampled horizontally at a time: as 4-byte pixels, a column of them is what one weighted sum takes.
constexpr int kStripRows = 8;
constexpr int kPixelBytes = kWeightedSumBytes / kStripRows;

// Turns source rows y..y+7 to columns (row 0's pixel, row 1's ... as 4 bytes each), so that the horizontal
// pass weighs whole vectors. Rows past the end repeat the last one.
void load_strip(const uint8_t* image, int width, int height, int y, int begin, int end, uint8_t* columns) {
  for (int r = 0; r < kStripRows; ++r) {
    const uint8_t* row = image + static_cast<int64_t>(std::min(y + r, height - 1)) * width * 3;
    uint8_t* to = columns + r * kPixelBytes;
    // Copying 4 bytes is one instruction, but would leave the row at its last pixel.
    const int whole = std::min(end, width - 1);
    for (int x = begin; x < whole; ++x, to += kWeightedSumBytes) std::memcpy(to, row + int64_t{3} * x, 4);
    if (whole < end) std::memcpy(to, row + int64_t{3} * whole, 3);
  }
}

// The horizontal pass of source rows y..y+7 into `rows`, which are row_bytes apart; `written` of them are
// stored.
void resample_strip(const uint8_t* image, const ResizeParams& p, int y, int written, uint8_t* rows,
                    int64_t row_bytes, ResizeScratch& s) {
  const ResampleAxis& axis = s.horizontal;
  const int begin = axis.first.front(), end = axis.first.back() + axis.count.back();
  const WeightedSum weighted_sum = fastest_weighted_sum();
  load_strip(image, p.in_width, p.in_height, y, begin, end, s.columns.data());
  for (int i = 0; i < p.window_width; ++i) {
    uint8_t pixels[kWeightedSumBytes];
    weighted_sum(&s.column_starts[axis.first[i] - begin], 0,
                 &axis.weights[static_cast<size_t>(i) * axis.taps], axis.count[i], pixels);
    for (int r = 0; r < written; ++r) std::memcpy(rows + r * row_bytes + 3 * i, pixels + r * kPixelBytes, 3);
  }
}

void prepare_horizontal(const ResizeParams& p, ResizeScratch& s) {
  prepare_axis(s.horizontal, horizontal_range(p));
  const int columns = s.horizontal.first.back() + s.horizontal.count.back() - s.horizontal.first.front();
  s.columns.resize(static_cast<size_t>(columns) * kWeightedSumBytes);
  s.column_starts.resize(columns);
  for (int x = 0; x < columns; ++x) s.column_starts[x] = s.columns.data() + int64_t{x} * kWeightedSumBytes;
}

// One output row from the rows in s.row_starts.
void resample_row(const int32_t* weights, int count, int bytes, uint8_t* out, const ResizeScratch& s) {
  const WeightedSum weighted_sum = fastest_weighted_sum();
  const uint8_t* const* rows = s.row_starts.data();
  if (bytes < kWeightedSumBytes) return weighted_sum_few(rows, 0, weights, count, out, bytes);
  for (int j = 0; j < bytes; j += kWeightedSumBytes) {
    const int from = std::min(j, bytes - kWeightedSumBytes);  // the last block overlaps the one before
    weighted_sum(rows, from, weights, count, out + from);
  }
}

void resize_horizontally(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams& p,
                         ResizeScratch& s) {
  prepare_horizontal(p, s);
  for (int y = 0; y < p.window_height; y += kStripRows)
    resample_strip(image, p, p.window_y + y, std::min(kStripRows, p.window_height - y),
                   out + y * out_row_bytes, out_row_bytes, s);
}

void resize_vertically(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams& p,
                       ResizeScratch& s) {
  const ResampleAxis& axis = s.vertical;
  s.row_starts.resize(axis.taps);
  for (int i = 0; i < p.window_height; ++i) {
    for (int t = 0; t < axis.count[i]; ++t)
      s.row_starts[t] = image + (static_cast<int64_t>(axis.first[i] + t) * p.in_width + p.window_x) * 3;
    resample_row(&axis.weights[static_cast<size_t>(i) * axis.taps], axis.count[i], 3 * p.window_width,
                 out + i * out_row_bytes, s);
  }
}

// Both passes, interleaved: horizontally resampled rows wait in a ring until the last output row that needs
// them.
void resize_both_ways(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams& p,
                      ResizeScratch& s) {
  prepare_horizontal(p, s);
  const ResampleAxis& axis = s.vertical;
  // The rows of one output and a strip read ahead; whole strips, so that none wraps around.
  const int capacity = (axis.taps / kStripRows + 2) * kStripRows;
  const int64_t row_bytes = int64_t{3} * p.window_width;
  s.ring.resize(static_cast<size_t>(capacity) * row_bytes);
  s.row_starts.resize(axis.taps);
  const int origin = axis.first.front();
  int ready = origin;  // the first source row not yet in the ring
  auto slot = [&](int y) { return s.ring.data() + (y - origin) % capacity * row_bytes; };
  for (int i = 0; i < p.window_height; ++i) {
    for (; ready < axis.first[i] + axis.count[i]; ready += kStripRows)
      resample_strip(image, p, ready, kStripRows, slot(ready), row_bytes, s);
    for (int t = 0; t < axis.count[i]; ++t) s.row_starts[t] = slot(axis.first[i] + t);
    resample_row(&axis.weights[static_cast<size_t>(i) * axis.taps], axis.count[i], 3 * p.window_width,
                 out + i * out_row_bytes, s);
  }
}

void copy(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams& p) {
  for (int y = 0; y < p.window_height; ++y)
    std::memcpy(out + y * out_row_bytes,
                image + (static_cast<int64_t>(p.window_y + y) * p.in_width + p.window_x) * 3,
                static_cast<size_t>(p.window_width) * 3);
}

}  // namespace

void check_window(const ResizeParams& p) {
  auto inside = [](int begin, int size, int whole) {
    return begin >= 0 && size >= 1 && begin <= whole - size;
  };
  if (p.in_width < 1 || p.in_height < 1 || !inside(p.window_x, p.window_width, p.out_width) ||
      !inside(p.window_y, p.window_height, p.out_height))
    throw std::invalid_argument("resampling an empty image, or a window outside the resampled image");
}

AxisRange horizontal_range(const ResizeParams& p) {
  return {p.in_width, p.out_width, p.window_x, p.window_x + p.window_width, p.resampling};
}

AxisRange vertical_range(const ResizeParams& p) {
  return {p.in_height, p.out_height, p.window_y, p.window_y + p.window_height, p.resampling};
}

bool halves(const ResizeParams& p) {
  return p.in_width == 2 * int64_t{p.out_width} && p.in_height == 2 * int64_t{p.out_height};
}

void resize_cpu(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams& p,
                ResizeScratch& scratch) {
  check_window(p);
  if (!gives_bytes(p.resampling)) throw std::invalid_argument("resize_cpu: a resampling that gives floats");
  const bool across = p.in_width != p.out_width, down = p.in_height != p.out_height;
  if (!across && !down) return copy(image, out, out_row_bytes, p);
  if (p.resampling == Resampling::CvBilinear) return resize_opencv_cpu(image, out, out_row_bytes, p, scratch);
  if (!down) return resize_horizontally(image, out, out_row_bytes, p, scratch);
  prepare_axis(scratch.vertical, vertical_range(p));
  if (!across) return resize_vertically(image, out, out_row_bytes, p, scratch);
  resize_both_ways(image, out, out_row_bytes, p, scratch);
}

}  // namespace tyto::kernels
