#include "kernels/image/cell_sums_cpu.h"
#include "kernels/image/grid_sample_math.h"

namespace tyto::kernels {

template <class T>
void grid_sample_cpu(const ChannelBlocks<const T>& x, const Computed<T>* grid, const GridSample& how,
                     const ChannelBlocks<T>& y) {
  const auto height = static_cast<int>(x.height), width = static_cast<int>(x.width);
  sample_blocks_cpu<T>(x, cells_of(how.interpolation), y,
                       [&](int64_t image, int64_t row, int64_t column, AxisCells<Computed<T>>& rows,
                           AxisCells<Computed<T>>& columns) {
                         const Computed<T>* place = grid + 2 * ((image * y.height + row) * y.width + column);
                         rows = cells_at(cell_of_unit(place[1], height, how.align_corners), height, how);
                         columns = cells_at(cell_of_unit(place[0], width, how.align_corners), width, how);
                         return true;
                       });
}

#define TYTO_OF(T)                                                                                    \
  template void grid_sample_cpu(const ChannelBlocks<const T>&, const Computed<T>*, const GridSample&, \
                                const ChannelBlocks<T>&);
TYTO_OF(double)
TYTO_OF(float)
TYTO_OF(Half)
TYTO_OF(BFloat16)
#undef TYTO_OF

}  // namespace tyto::kernels
