// A warp looks at the objects of an image: 16 bytes each.
#include "kernels/losses/object_faults.h"

#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/losses/region_targets_math.h"
#include "kernels/losses/regions.cuh"

namespace tyto::kernels {
namespace {

template <class C>
__global__ void __launch_bounds__(kWarp)
    check_objects_kernel(ImageObjects<C> objects, bool with_classes, int32_t* __restrict__ spoiled,
                         LossStatus* status) {
  const int64_t image = blockIdx.x;
  LossStatus of_count = 0, of_objects = 0;
  const int64_t there = objects_there(objects.counts, image, objects.capacity, of_count);
  for (int64_t j = threadIdx.x; j < there; j += kWarp) {
    const int64_t place = image * objects.capacity + j;
    of_objects = std::max(of_objects, fault_of_object(load_corners(objects.boxes, place),
                                                      with_classes ? objects.classes : nullptr, place));
  }
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2)
    of_objects = std::max(of_objects, __shfl_xor_sync(kFullWarp, of_objects, distance));
  if (threadIdx.x != 0) return;
  spoiled[image] = is_fatal(of_objects) ? 1 : 0;
  const LossStatus found = std::max(of_count, of_objects);
  if (status != nullptr && found != 0) atomicMax(status, found);
}

}  // namespace

template <class C>
void check_objects(const ImageObjects<C>& objects, bool with_classes, int32_t* spoiled, LossStatus* status,
                   Stream stream) {
  launch<check_objects_kernel<C>>({.grid = blocks_for(objects.batch, 1), .block = kWarp, .stream = stream},
                                  objects, with_classes, spoiled, status);
}

template void check_objects(const ImageObjects<double>&, bool, int32_t*, LossStatus*, Stream);
template void check_objects(const ImageObjects<float>&, bool, int32_t*, LossStatus*, Stream);

}  // namespace tyto::kernels
