// Rows on their way into a loss and gradients on their way out: a block takes a row. Lengths are summed in
// double, so that a long row of floats neither overflows nor loses what central differences look for.
//
// Cost: loading reads a row twice (the second time from L1 or L2) and writes it once; storing reads gradients
// and x twice and writes once. Bound by memory.
#include "kernels/losses/feature_rows.h"

#include "kernels/common/launch.h"
#include "kernels/common/row_reduce.cuh"
#include "kernels/losses/faults.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = kReduceBlock;

template <class T>
__global__ void __launch_bounds__(kBlock)
    load_rows_kernel(const T* __restrict__ from, int64_t width, RowsAs as, LossInput input,
                     Computed<T>* __restrict__ to, Computed<T>* __restrict__ lengths, LossStatus* found) {
  using C = Computed<T>;
  TYTO_SHARED_ARRAY(double, partial, kReduceWarps);
  const int64_t row = blockIdx.x;
  from += row * width;
  to += row * width;
  double squares = 0;
  bool finite = true;
  for (int64_t j = threadIdx.x; j < width; j += kBlock) {
    const C v = computed(from[j]);
    finite = finite && isfinite(v);
    squares += static_cast<double>(v) * static_cast<double>(v);
  }
  if (!finite) report(found, LossFault::NotFinite, input, row);
  if (!as.unit) {
    for (int64_t j = threadIdx.x; j < width; j += kBlock) to[j] = computed(from[j]);
    return;
  }
  const double length = sqrt(row_reduce<Plus, kBlock>(squares, partial));
  const C divisor = static_cast<C>(length + as.added_length);
  if (threadIdx.x == 0) {
    lengths[row] = static_cast<C>(length);
    if (!isfinite(divisor)) report(found, LossFault::NotFinite, input, row);
  }
  const bool zero = length <= RowsAs::kLeastLength;
  for (int64_t j = threadIdx.x; j < width; j += kBlock) to[j] = zero ? C{0} : computed(from[j]) / divisor;
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    store_row_gradients_kernel(const Computed<T>* gradients, const Computed<T>* __restrict__ x,
                               const Computed<T>* __restrict__ lengths, int64_t width, RowsAs as,
                               double scale, const LossStatus* __restrict__ found, T* to) {
  using C = Computed<T>;
  TYTO_SHARED_ARRAY(C, partial, kReduceWarps);
  const int64_t row = blockIdx.x;
  gradients += row * width;
  x += row * width;
  to += row * width;
  if (*found != 0) {
    for (int64_t j = threadIdx.x; j < width; j += kBlock) to[j] = rounded_to<T>(not_a_number<C>());
    return;
  }
  const C by = static_cast<C>(scale);
  if (!as.unit) {
    for (int64_t j = threadIdx.x; j < width; j += kBlock) to[j] = rounded_to<T>(by * gradients[j]);
    return;
  }
  C along = 0;
  for (int64_t j = threadIdx.x; j < width; j += kBlock) along += gradients[j] * x[j];
  along = row_reduce<Plus, kBlock>(along, partial);
  const C length = lengths[row];
  if (length <= static_cast<C>(RowsAs::kLeastLength)) {
    for (int64_t j = threadIdx.x; j < width; j += kBlock) to[j] = rounded_to<T>(C{0});
    return;
  }
  const C across = by / (length + static_cast<C>(as.added_length)), back = by * along / length;
  for (int64_t j = threadIdx.x; j < width; j += kBlock)
    to[j] = rounded_to<T>(across * gradients[j] - back * x[j]);
}

__global__ void check_labels_kernel(const int32_t* __restrict__ labels, int64_t rows, int64_t classes,
                                    LossInput input, LossStatus* found) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (row >= rows) return;
  const int32_t label = labels[row];
  if (label < 0 || (classes != 0 && label >= classes)) report(found, LossFault::Label, input, row);
}

__global__ void clear_status_kernel(LossStatus* found) { *found = 0; }

template <class C>
__global__ void finish_loss_kernel(const LossStatus* __restrict__ found, C* values, int64_t count,
                                   LossStatus* status) {
  if (*found == 0) return;
  for (int64_t i = threadIdx.x; i < count; i += kWarp) values[i] = not_a_number<C>();
  if (threadIdx.x == 0 && status != nullptr) atomicMax(status, *found);
}

}  // namespace

template <class T>
void load_rows(const T* from, int64_t rows, int64_t width, const RowsAs& as, LossInput input, Computed<T>* to,
               Computed<T>* lengths, LossStatus* found, Stream stream) {
  launch<load_rows_kernel<T>>({.grid = blocks_for(rows, 1), .block = kBlock, .stream = stream}, from, width,
                              as, input, to, lengths, found);
}

template <class T>
void store_row_gradients(const Computed<T>* gradients, const Computed<T>* x, const Computed<T>* lengths,
                         int64_t rows, int64_t width, const RowsAs& as, double scale, const LossStatus* found,
                         T* to, Stream stream) {
  launch<store_row_gradients_kernel<T>>({.grid = blocks_for(rows, 1), .block = kBlock, .stream = stream},
                                        gradients, x, lengths, width, as, scale, found, to);
}

void check_labels(const int32_t* labels, int64_t rows, int64_t classes, LossInput input, LossStatus* found,
                  Stream stream) {
  launch<check_labels_kernel>({.grid = blocks_for(rows, kBlock), .block = kBlock, .stream = stream}, labels,
                              rows, classes, input, found);
}

void clear_status(LossStatus* found, Stream stream) {
  launch<clear_status_kernel>({.grid = 1, .block = 1, .stream = stream}, found);
}

template <class C>
void finish_loss(const LossStatus* found, C* values, int64_t count, LossStatus* status, Stream stream) {
  launch<finish_loss_kernel<C>>({.grid = 1, .block = kWarp, .stream = stream}, found, values, count, status);
}

#define TYTO_INSTANTIATE(T)                                                                                 \
  template void load_rows(const T*, int64_t, int64_t, const RowsAs&, LossInput, Computed<T>*, Computed<T>*, \
                          LossStatus*, Stream);                                                             \
  template void store_row_gradients(const Computed<T>*, const Computed<T>*, const Computed<T>*, int64_t,    \
                                    int64_t, const RowsAs&, double, const LossStatus*, T*, Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE
template void finish_loss(const LossStatus*, double*, int64_t, LossStatus*, Stream);
template void finish_loss(const LossStatus*, float*, int64_t, LossStatus*, Stream);

}  // namespace tyto::kernels
