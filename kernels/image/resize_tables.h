// The weights of resize() as the device reads them: both axes in one block, made on the host and copied in
// one piece.
#pragma once

#include <cstdint>

#include "kernels/image/resize.h"

namespace tyto::kernels {

// One axis: output i is the sum over t < count[i] of weights[t * outputs + i] * input[first[i] + t], in the
// units of ResampleAxis. Neighbouring outputs stand side by side, as the threads read them.
struct AxisTable {
  const int32_t *first = nullptr, *count = nullptr, *weights = nullptr;
  int outputs = 0;
};

// How many numbers the block of these parameters has; 0 where there is nothing to weigh (halves()).
int64_t resize_tables_size(const ResizeParams&);

// Fills `tables`, in host memory. The scratch keeps the weights while the sizes stay. std::invalid_argument
// as resize_cpu.
void make_resize_tables(const ResizeParams&, ResizeScratch& scratch, int32_t* tables);

// Where in the block, wherever it stands, the axes are.
AxisTable horizontal_table(const ResizeParams&, const int32_t* tables);
AxisTable vertical_table(const ResizeParams&, const int32_t* tables);

}  // namespace tyto::kernels
