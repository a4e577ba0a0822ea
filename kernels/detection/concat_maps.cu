// The heads' maps joined. An image's pixels, channels fastest, are an image's rows already: every map is one
// run of numbers to be moved, converted to float on the way. All maps in one launch, because most are tiny
// (SSD300: 38 x 38 down to 1 x 1) and a launch costs more than moving them.
//
// Cost: each number read once and written once, four a thread.
#include "kernels/detection/concat_maps.h"

#include <algorithm>

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;
constexpr int kPerThread = 4;
constexpr int kTile = kBlock * kPerThread;  // numbers that a block moves, all of one map and image

template <class T>
struct Heads {
  const T* data[kMaxMaps];
  int size[kMaxMaps];         // numbers an image
  int first_block[kMaxMaps];  // that works on the map
  int64_t offset[kMaxMaps];   // in an image's rows
  int64_t image_size;         // numbers in an image's rows
  int maps;
};

// `packs`: sizes and places are all multiples of four, the pointers aligned to match.
template <class T, bool packs>
__global__ void __launch_bounds__(kBlock)
    concat_maps_kernel(Heads<T> heads, int64_t n, float* __restrict__ rows) {
  int map = 0;
  while (map + 1 < heads.maps && static_cast<int>(blockIdx.x) >= heads.first_block[map + 1]) ++map;
  const int size = heads.size[map], tile = (blockIdx.x - heads.first_block[map]) * kTile;
  for (int64_t image = blockIdx.y; image < n; image += gridDim.y) {
    const T* from = heads.data[map] + image * size;
    float* to = rows + image * heads.image_size + heads.offset[map];
    if constexpr (packs) {
      const int i = tile + threadIdx.x * kPerThread;
      if (i >= size) continue;
      float values[kPerThread];
      load(from + i, values);
      store(values, to + i);
    } else {
#pragma unroll
      for (int k = 0; k < kPerThread; ++k) {
        const int i = tile + k * kBlock + threadIdx.x;
        if (i < size) to[i] = as_float(from[i]);
      }
    }
  }
}

}  // namespace

template <class T>
void concat_maps(std::span<const Nhwc<const T>> maps, float* rows, Stream stream) {
  if (maps.size() > kMaxMaps)
    throw DeviceError(std::to_string(maps.size()) + " heads to join, at most " + std::to_string(kMaxMaps));
  Heads<T> heads = {};
  bool packs = packable<kPerThread>(0, rows);
  int64_t blocks = 0, n = 0;
  for (const auto& map : maps) {
    const int64_t size = map.height * map.width * map.channels;
    const int at = heads.maps++;
    heads.data[at] = map.data;
    heads.size[at] = checked_int(size + kTile, "a head's image") - kTile;  // indices run on to the tile's end
    heads.first_block[at] = checked_int(blocks, "the heads' blocks");
    heads.offset[at] = heads.image_size;
    heads.image_size += size;
    packs = packs && packable<kPerThread>(size, map.data);
    blocks += (size + kTile - 1) / kTile;
    n = map.n;
  }
  constexpr int64_t kMaxGridY = 65535;
  const LaunchConfig config = {.grid = {static_cast<unsigned>(checked_int(blocks, "the heads' blocks")),
                                        static_cast<unsigned>(std::min(n, kMaxGridY))},
                               .block = kBlock,
                               .stream = stream};
  if (packs)
    launch<concat_maps_kernel<T, true>>(config, heads, n, rows);
  else
    launch<concat_maps_kernel<T, false>>(config, heads, n, rows);
}

template void concat_maps(std::span<const Nhwc<const float>>, float*, Stream);
template void concat_maps(std::span<const Nhwc<const Half>>, float*, Stream);
template void concat_maps(std::span<const Nhwc<const BFloat16>>, float*, Stream);

}  // namespace tyto::kernels
