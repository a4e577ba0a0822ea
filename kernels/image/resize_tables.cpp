#include "kernels/image/resize_tables.h"

#include <algorithm>
#include <stdexcept>

namespace tyto::kernels {
namespace {

int64_t table_size(const AxisRange& range) {
  return (2 + int64_t{resample_taps(range)}) * (range.end - range.begin);
}

AxisTable table_at(const int32_t* begin, const AxisRange& range) {
  const int outputs = range.end - range.begin;
  return {begin, begin + outputs, begin + 2 * int64_t{outputs}, outputs};
}

// Returns the end of the axis's table.
int32_t* write_table(const ResampleAxis& axis, int32_t* to) {
  to = std::copy(axis.first.begin(), axis.first.end(), to);
  to = std::copy(axis.count.begin(), axis.count.end(), to);
  for (int t = 0; t < axis.taps; ++t)
    for (size_t i = 0; i < axis.first.size(); ++i)
      *to++ = axis.weights[i * static_cast<size_t>(axis.taps) + t];
  return to;
}

}  // namespace

int64_t resize_tables_size(const ResizeParams& p) {
  if (p.resampling == Resampling::CvBilinear && halves(p)) return 0;
  return table_size(horizontal_range(p)) + table_size(vertical_range(p));
}

void make_resize_tables(const ResizeParams& p, ResizeScratch& scratch, int32_t* tables) {
  check_window(p);
  if (!gives_bytes(p.resampling))
    throw std::invalid_argument("make_resize_tables: a resampling that gives floats");
  if (p.resampling == Resampling::CvBilinear && halves(p)) return;
  prepare_axis(scratch.horizontal, horizontal_range(p));
  prepare_axis(scratch.vertical, vertical_range(p));
  write_table(scratch.vertical, write_table(scratch.horizontal, tables));
}

AxisTable horizontal_table(const ResizeParams& p, const int32_t* tables) {
  return table_at(tables, horizontal_range(p));
}

AxisTable vertical_table(const ResizeParams& p, const int32_t* tables) {
  return table_at(tables + table_size(horizontal_range(p)), vertical_range(p));
}

}  // namespace tyto::kernels
