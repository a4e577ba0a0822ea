// Softmax or sigmoid of each row of logits, transposed on the way: rows of classes come in, rows of anchors
// go out.
//
// A block stages a tile of rows in shared memory: they lie one behind the other in global memory, so the
// reads are coalesced whatever the number of classes. Then a thread owns a row and the classes' scores of
// neighbouring threads are neighbours in the output. One thread adds a whole row because the CPU does so lane
// by lane: the same order, the same bits. Rows have an odd distance in shared memory, so that a warp's 32
// rows lie in 32 banks.
//
// Cost: each logit read once, each score written once, some 60 instructions a number: the memory's time and
// the arithmetic's are about the same on an A100 and an H100. Where count is no multiple of 8, as SSD300's
// 8732, the output's rows begin inside a sector and every request of a warp touches one more than it fills.
#include "kernels/detection/class_scores.h"

#include <algorithm>

#include "kernels/common/exponential.h"
#include "kernels/common/launch.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 128;
constexpr int kTileBytes = 24 << 10;  // up to here so many blocks fit on an SM that it is never idle
constexpr int kMaxBytes = 48 << 10;   // what every device has: a single row may take it all

struct Shape {
  unsigned rows;  // of all images
  int count, classes;
  int tile_rows, tile_stride;  // of a block's tile in shared memory
};

// The tile's logits to shared memory; returns the number of its rows.
__device__ int stage(const float* __restrict__ logits, const Shape& shape, float* tile) {
  const unsigned first = blockIdx.x * shape.tile_rows;
  const int rows = min(static_cast<unsigned>(shape.tile_rows), shape.rows - first);
  const float* from = logits + static_cast<int64_t>(first) * shape.classes;
  // (row, c) walks along with i, without dividing.
  int row = threadIdx.x / shape.classes, c = threadIdx.x % shape.classes;
  const int row_step = kBlock / shape.classes, c_step = kBlock % shape.classes;
  for (int i = threadIdx.x; i < rows * shape.classes; i += kBlock) {
    tile[row * shape.tile_stride + c] = from[i];
    row += row_step;
    c += c_step;
    if (c >= shape.classes) {
      c -= shape.classes;
      ++row;
    }
  }
  __syncthreads();
  return rows;
}

__device__ void softmax(float* row, const Shape& shape, float* __restrict__ out) {
  float largest = row[0];
  for (int c = 1; c < shape.classes; ++c) largest = row[c] > largest ? row[c] : largest;
  float sum = 0;
  for (int c = 0; c < shape.classes; ++c) {
    const float e = exponential(row[c] - largest);
    row[c] = e;
    sum += e;
  }
  for (int c = 1; c < shape.classes; ++c) out[static_cast<int64_t>(c - 1) * shape.count] = row[c] / sum;
}

__device__ void sigmoid(const float* row, const Shape& shape, float* __restrict__ out) {
  for (int c = 1; c < shape.classes; ++c)
    out[static_cast<int64_t>(c - 1) * shape.count] = 1.0f / (1.0f + exponential(-row[c]));
}

template <ScoreFunction function>
__global__ void __launch_bounds__(kBlock)
    class_scores_kernel(const float* __restrict__ logits, Shape shape, float* __restrict__ scores) {
  TYTO_SHARED_DYNAMIC(float, tile);
  const int rows = stage(logits, shape, tile);
  if (static_cast<int>(threadIdx.x) >= rows) return;
  const unsigned row = blockIdx.x * shape.tile_rows + threadIdx.x;
  const unsigned image = row / shape.count, anchor = row % shape.count;
  float* out = scores + static_cast<int64_t>(image) * (shape.classes - 1) * shape.count + anchor;
  if constexpr (function == ScoreFunction::Softmax)
    softmax(tile + threadIdx.x * shape.tile_stride, shape, out);
  else
    sigmoid(tile + threadIdx.x * shape.tile_stride, shape, out);
}

// Rows that a block works on: whole warps, or at least whole sectors of the output, as far as they fit.
int64_t rows_of_tile(int64_t row_bytes) {
  const int64_t rows = std::clamp<int64_t>(kTileBytes / row_bytes, 1, kBlock);
  return rows >= 32 ? rows / 32 * 32 : rows >= 8 ? rows / 8 * 8 : rows;
}

}  // namespace

void class_scores(const float* logits, int64_t n, int64_t count, int64_t classes, const ClassScores& params,
                  float* scores, Stream stream) {
  const int64_t stride = classes | 1, row_bytes = stride * static_cast<int64_t>(sizeof(float));
  if (row_bytes > kMaxBytes)
    throw DeviceError("scores of " + std::to_string(classes) +
                      " classes: a row of logits exceeds shared memory");
  const int64_t tile_rows = rows_of_tile(row_bytes);
  const Shape shape = {static_cast<unsigned>(checked_int(n * count, "a batch's anchors")),
                       static_cast<int>(count), static_cast<int>(classes), static_cast<int>(tile_rows),
                       static_cast<int>(stride)};
  const LaunchConfig config = {.grid = blocks_for(n * count, static_cast<int>(tile_rows)),
                               .block = kBlock,
                               .shared_bytes = static_cast<size_t>(tile_rows * row_bytes),
                               .stream = stream};
  if (params.function == ScoreFunction::Softmax)
    launch<class_scores_kernel<ScoreFunction::Softmax>>(config, logits, shape, scores);
  else
    launch<class_scores_kernel<ScoreFunction::Sigmoid>>(config, logits, shape, scores);
}

}  // namespace tyto::kernels
