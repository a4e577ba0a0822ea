#include "kernels/bev/homography_warp_math.h"
#include "kernels/image/cell_sums_cpu.h"

namespace tyto::kernels {

template <class T>
void homography_warp_cpu(const ChannelBlocks<const T>& x, const Computed<T>* homographies, int64_t count,
                         const HomographyWarp& warp, const ChannelBlocks<T>& y) {
  const WarpSizes sizes = {static_cast<int>(x.height), static_cast<int>(x.width), static_cast<int>(y.height),
                           static_cast<int>(y.width)};
  sample_blocks_cpu<T>(x, cells_of(warp), y,
                       [&](int64_t image, int64_t row, int64_t column, AxisCells<Computed<T>>& rows,
                           AxisCells<Computed<T>>& columns) {
                         return locate_warped(homographies + 9 * (image % count), warp, sizes,
                                              static_cast<int>(row), static_cast<int>(column), rows, columns);
                       });
}

#define TYTO_OF(T)                                                                              \
  template void homography_warp_cpu(const ChannelBlocks<const T>&, const Computed<T>*, int64_t, \
                                    const HomographyWarp&, const ChannelBlocks<T>&);
TYTO_OF(double)
TYTO_OF(float)
TYTO_OF(Half)
TYTO_OF(BFloat16)
#undef TYTO_OF

}  // namespace tyto::kernels
