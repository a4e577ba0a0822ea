// How the threads of a kernel walk a StridedBox: each owns one place of the innermost dimension, at up to
// four rows, places of the dimension around it, so that it finds its way once for four elements. A warp's
// lanes are neighbours along the innermost dimension and, where that is short, along the rows.
#pragma once

#include <cstdint>

#include "kernels/common/launch.h"
#include "kernels/common/stream.h"
#include "kernels/common/strided_box.h"

namespace tyto::kernels {

inline constexpr int kRowBlock = 256;
inline constexpr int kThreadRows = 4;

// Innermost first.
template <int Arrays>
struct BoxRows {
  int sizes[kMaxRank];
  int strides[Arrays][kMaxRank];
  int rank;    // >= 2
  int groups;  // of rows, one a thread; a group's rows lie `groups` apart
};

// DeviceError names the kernel one of whose arrays has an element at 2^31 or beyond.
template <int Arrays>
BoxRows<Arrays> rows_of(const StridedBox<Arrays>& box, const char* kernel) {
  BoxRows<Arrays> rows{};
  rows.rank = box.rank < 2 ? 2 : box.rank;
  for (int d = 0; d < kMaxRank; ++d) rows.sizes[d] = 1;
  for (int a = 0; a < Arrays; ++a) checked_int(box.extent(a), kernel);
  for (int d = 0; d < box.rank; ++d) {
    const int from = box.rank - 1 - d;
    rows.sizes[d] = static_cast<int>(box.sizes[from]);
    for (int a = 0; a < Arrays; ++a)  // that of a single place may be any number, and counts for nothing
      rows.strides[a][d] = box.sizes[from] == 1 ? 0 : static_cast<int>(box.strides[a][from]);
  }
  rows.groups = (rows.sizes[1] + kThreadRows - 1) / kThreadRows;
  return rows;
}

template <int Arrays>
LaunchConfig cover_rows(const BoxRows<Arrays>& rows, Stream stream) {
  int64_t threads = static_cast<int64_t>(rows.sizes[0]) * rows.groups;
  for (int d = 2; d < rows.rank; ++d) threads *= rows.sizes[d];
  checked_int(threads, "the threads of a box");
  return {.grid = blocks_for(threads, kRowBlock), .block = kRowBlock, .stream = stream};
}

// A thread's first row, and where each array's element of it stands.
template <int Arrays>
struct RowPlace {
  int row, at[Arrays];
  bool inside;
};

template <int Arrays>
__device__ inline RowPlace<Arrays> place_of_thread(const BoxRows<Arrays>& rows) {
  const unsigned thread = blockIdx.x * kRowBlock + threadIdx.x;
  const int column = thread % rows.sizes[0];
  unsigned rest = thread / rows.sizes[0];
  RowPlace<Arrays> place;
  place.row = rest % rows.groups;
  rest /= rows.groups;
#pragma unroll
  for (int a = 0; a < Arrays; ++a) place.at[a] = column * rows.strides[a][0] + place.row * rows.strides[a][1];
  for (int d = 2; d < rows.rank; ++d) {
    const int i = rest % rows.sizes[d];
    rest /= rows.sizes[d];
#pragma unroll
    for (int a = 0; a < Arrays; ++a) place.at[a] += i * rows.strides[a][d];
  }
  place.inside = rest == 0;
  return place;
}

}  // namespace tyto::kernels
