// A copy between strided arrays, dimensions in the order of y.
//
// Where x has the same innermost dimension, or repeats along y's, a thread moves words of up to 16 bytes, as
// many as sizes, strides and addresses are multiples of. Where x's innermost dimension is another, tiles go
// through shared memory, so that both sides are coalesced; not if one of the two dimensions is so short that
// most of a tile would be idle: then y is coalesced, and x's sectors are shared by neighbouring warps in L1.
// Bound by memory.
#include "kernels/layout/strided_copy.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kernels/common/box_rows.cuh"
#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/layout/tile.cuh"

namespace tyto::kernels {
namespace {

enum { kX, kY };

template <class Word>
__global__ void __launch_bounds__(kRowBlock)
    copy_rows_kernel(const Word* __restrict__ x, BoxRows<2> rows, Word* __restrict__ y) {
  const RowPlace<2> place = place_of_thread(rows);
  if (!place.inside) return;
  Word words[kThreadRows];
#pragma unroll
  for (int k = 0; k < kThreadRows; ++k) {
    const int along = k * rows.groups;
    if (place.row + along < rows.sizes[1]) copy_pack(x[place.at[kX] + along * rows.strides[kX][1]], words[k]);
  }
#pragma unroll
  for (int k = 0; k < kThreadRows; ++k) {
    const int along = k * rows.groups;
    if (place.row + along < rows.sizes[1]) copy_pack(words[k], y[place.at[kY] + along * rows.strides[kY][1]]);
  }
}

// y's innermost dimension are a tile's pixels, x's, the one around it in the box, its channels.
template <class Word>
__global__ void __launch_bounds__(kTile* kTileRows)
    copy_tiles_kernel(const Word* __restrict__ x, BoxRows<2> box, Word* __restrict__ y) {
  TYTO_SHARED_ARRAY(uint32_t, tile, kTileWords);
  const int area = box.sizes[0], channels = box.sizes[1];
  const TilePosition position = position_of_tile(channels, area);
  int from = 0, to = 0, rest = position.image;
  for (int d = 2; d < box.rank; ++d) {
    const int i = rest % box.sizes[d];
    rest /= box.sizes[d];
    from += i * box.strides[kX][d];
    to += i * box.strides[kY][d];
  }
  const int column = threadIdx.x, c = position.channel + column;
#pragma unroll
  for (int row = threadIdx.y; row < kTile; row += kTileRows) {
    const int p = position.pixel + row;
    if (c < channels && p < area)
      tile[row * (kTile + 1) + column] = x[from + p * box.strides[kX][0] + c * box.strides[kX][1]];
  }
  __syncthreads();
  const int pixel = position.pixel + column;
#pragma unroll
  for (int row = threadIdx.y; row < kTile; row += kTileRows) {
    const int channel = position.channel + row;
    if (channel < channels && pixel < area)
      y[to + pixel * box.strides[kY][0] + channel * box.strides[kY][1]] =
          static_cast<Word>(tile[column * (kTile + 1) + row]);
  }
}

// y's largest strides outermost.
StridedBox<2> in_order_of_y(StridedBox<2> box) {
  for (int end = box.rank; end > 1; --end)
    for (int d = 0; d + 1 < end; ++d)
      if (box.strides[kY][d] < box.strides[kY][d + 1]) {
        std::swap(box.sizes[d], box.sizes[d + 1]);
        for (auto& strides : box.strides) std::swap(strides[d], strides[d + 1]);
      }
  return merged(box);
}

// The dimension along which x is read best; -1 where x is one element.
int innermost_of_x(const StridedBox<2>& box) {
  int best = -1;
  for (int d = 0; d < box.rank; ++d)
    if (box.strides[kX][d] > 0 && (best < 0 || box.strides[kX][d] < box.strides[kX][best])) best = d;
  return best;
}

// Whether all of the copy is a multiple of `count` elements.
bool steps_by(const BoxRows<2>& rows, int count) {
  bool all = rows.strides[kX][0] == 1 && rows.strides[kY][0] == 1 && rows.sizes[0] % count == 0;
  for (const auto& strides : rows.strides)
    for (int d = 1; d < rows.rank; ++d) all = all && strides[d] % count == 0;
  return all;
}

struct CopyCall {
  const void* x;
  int element_bytes;
  void* y;
  Stream stream;
};

// Returns whether words of N values fit the copy, and so make it.
template <class Value, int N>
bool copy_rows(BoxRows<2> rows, const CopyCall& call) {
  using Word = Pack<Value, N>;
  const int count = static_cast<int>(sizeof(Word)) / call.element_bytes;
  const auto aligned = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % sizeof(Word) == 0; };
  if (count == 0 || (count > 1 && !(steps_by(rows, count) && aligned(call.x) && aligned(call.y))))
    return false;
  rows.sizes[0] /= count;
  for (auto& strides : rows.strides)
    for (int d = 1; d < rows.rank; ++d) strides[d] /= count;
  launch<copy_rows_kernel<Word>>(cover_rows(rows, call.stream), static_cast<const Word*>(call.x), rows,
                                 static_cast<Word*>(call.y));
  return true;
}

template <class Word>
void copy_tiles(const BoxRows<2>& box, const CopyCall& call) {
  int64_t n = 1;
  for (int d = 2; d < box.rank; ++d) n *= box.sizes[d];
  launch<copy_tiles_kernel<Word>>(cover_tiles(n, box.sizes[1], box.sizes[0], call.stream),
                                  static_cast<const Word*>(call.x), box, static_cast<Word*>(call.y));
}

}  // namespace

void strided_copy(const void* x, int element_bytes, const StridedBox<2>& any_order, void* y, Stream stream) {
  if (element_bytes != 2 && element_bytes != 4)
    throw DeviceError("a strided copy of elements of " + std::to_string(element_bytes) + " bytes");
  constexpr int64_t kShort = 8;  // of a tile's 32
  StridedBox<2> box = in_order_of_y(any_order);
  if (box.elements() == 0) return;
  const CopyCall call = {x, element_bytes, y, stream};
  const int inner = box.rank - 1, of_x = innermost_of_x(box);
  const bool turns = of_x >= 0 && of_x != inner && box.strides[kX][inner] != 0;
  if (turns && box.sizes[of_x] >= kShort && box.sizes[inner] >= kShort) {
    const auto beside_inner = [&](auto& values) {
      std::rotate(values.begin() + of_x, values.begin() + of_x + 1, values.begin() + inner);
    };
    beside_inner(box.sizes);
    for (auto& strides : box.strides) beside_inner(strides);
    const BoxRows<2> tiled = rows_of(box, "an array of a strided copy");
    element_bytes == 2 ? copy_tiles<uint16_t>(tiled, call) : copy_tiles<uint32_t>(tiled, call);
    return;
  }
  const BoxRows<2> rows = rows_of(box, "an array of a strided copy");
  copy_rows<uint32_t, 4>(rows, call) || copy_rows<uint32_t, 2>(rows, call) ||
      copy_rows<uint32_t, 1>(rows, call) || copy_rows<uint16_t, 1>(rows, call);
}

}  // namespace tyto::kernels
