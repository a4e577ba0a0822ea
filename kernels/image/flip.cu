// Mirrors rows, one element a thread: a warp reads a stretch and writes it turned round, so that both are
// whole sectors. Bound by memory: 8 bytes an element.

#include "kernels/image/flip.h"

#include "kernels/common/launch.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;

__global__ void flip_kernel(const float* in, int elements, int width, float* out) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (i >= elements) return;
  const int x = static_cast<int>(i) % width;
  out[i] = in[i - x + (width - 1 - x)];
}

}  // namespace

void flip_horizontal(const float* in, int64_t rows, int64_t width, float* out, Stream stream) {
  const int elements = checked_int(rows * width, "a batch to be flipped");
  launch<flip_kernel>({.grid = blocks_for(elements, kBlock), .block = kBlock, .stream = stream}, in, elements,
                      checked_int(width, "a row"), out);
}

}  // namespace tyto::kernels
