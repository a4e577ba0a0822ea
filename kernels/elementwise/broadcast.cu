// y = activation(a op b) with broadcasting: a thread owns 16 bytes of y's innermost dimension at four places
// of the next, and reads an operand that is the same in all four once. Bound by memory: y, and what is not
// repeated of a and b, once each.
#include "kernels/elementwise/broadcast.h"

#include "kernels/common/box_rows.cuh"
#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"

namespace tyto::kernels {
namespace {

enum { kA, kB, kY };

__device__ inline float combined(float a, float b, BinaryOp op) {
  return op == BinaryOp::Add ? a + b : op == BinaryOp::Sub ? a - b : a * b;
}

// N elements of an operand that steps through the innermost dimension, or of one that repeats.
template <int N, class T>
__device__ inline void read(const T* from, int step, float (&to)[N]) {
  if (step != 0) {
    load<N>(from, to);
    return;
  }
  const float value = as_float(*from);
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = value;
}

// y may be a or b: each element is read by the thread that writes it.
template <class T, int N>
__global__ void __launch_bounds__(kRowBlock)
    broadcast_kernel(const T* a, const T* b, BoxRows<3> rows, BinaryOp op, Activation activation, T* y) {
  const RowPlace<3> place = place_of_thread(rows);
  if (!place.inside) return;
  const auto at = [&](int array, int k) {
    return place.at[array] + k * rows.groups * rows.strides[array][1];
  };
  float u[kThreadRows][N], v[kThreadRows][N];
#pragma unroll
  for (int k = 0; k < kThreadRows; ++k) {
    if (place.row + k * rows.groups >= rows.sizes[1]) break;
    const auto read_row = [&](const T* from, int array, float(&to)[kThreadRows][N]) {
      if (k == 0 || rows.strides[array][1] != 0) {
        read<N>(from + at(array, k), rows.strides[array][0], to[k]);
        return;
      }
#pragma unroll
      for (int i = 0; i < N; ++i) to[k][i] = to[0][i];
    };
    read_row(a, kA, u);
    read_row(b, kB, v);
  }
#pragma unroll
  for (int k = 0; k < kThreadRows; ++k) {
    if (place.row + k * rows.groups >= rows.sizes[1]) break;
#pragma unroll
    for (int i = 0; i < N; ++i) u[k][i] = combined(u[k][i], v[k][i], op);
    activate(u[k], activation);
    store<N>(u[k], y + at(kY, k));
  }
}

// Whether an array's elements along the innermost dimension can be moved N at a time.
template <int N, class T>
bool steps_by_packs(const StridedBox<3>& box, int array, const T* data, bool may_repeat) {
  const auto& strides = box.strides[array];
  if (may_repeat && strides[box.rank - 1] == 0) return true;
  if (strides[box.rank - 1] != 1 || !packable<N>(box.sizes[box.rank - 1], data)) return false;
  for (int d = 0; d < box.rank - 1; ++d)
    if (strides[d] % N != 0) return false;
  return true;
}

}  // namespace

template <class T>
void broadcast(const T* a, const T* b, const StridedBox<3>& box, BinaryOp op, Activation activation, T* y,
               Stream stream) {
  const StridedBox<3> by_elements = merged(box);
  BoxRows<3> rows = rows_of(by_elements, "an array of broadcasting");
  const auto go = [&]<int N>() {
    launch<broadcast_kernel<T, N>>(cover_rows(rows, stream), a, b, rows, op, activation, y);
  };
  constexpr int N = kPack<T>;
  if (by_elements.rank > 0 && steps_by_packs<N>(by_elements, kA, a, true) &&
      steps_by_packs<N>(by_elements, kB, b, true) && steps_by_packs<N>(by_elements, kY, y, false)) {
    rows.sizes[0] /= N;
    for (auto& strides : rows.strides) strides[0] *= N;
    go.template operator()<N>();
  } else {
    go.template operator()<1>();
  }
}

template void broadcast<float>(const float*, const float*, const StridedBox<3>&, BinaryOp, Activation, float*,
                               Stream);
template void broadcast<Half>(const Half*, const Half*, const StridedBox<3>&, BinaryOp, Activation, Half*,
                              Stream);
template void broadcast<BFloat16>(const BFloat16*, const BFloat16*, const StridedBox<3>&, BinaryOp,
                                  Activation, BFloat16*, Stream);

}  // namespace tyto::kernels
