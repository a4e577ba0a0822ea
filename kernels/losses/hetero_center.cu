// Hetero-centre loss: a block takes a visible centre and the thermal one of its class.
//
// Cost for n rows of width d: about 8 n d numbers moved with the gradient. Bound by memory.
#include "kernels/common/launch.h"
#include "kernels/common/row_reduce.cuh"
#include "kernels/losses/hetero_center_math.h"
#include "kernels/losses/hetero_center_memory.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = kReduceBlock;

template <class C>
__global__ void __launch_bounds__(kBlock)
    center_pairs_kernel(const C* __restrict__ centers, RowGroups groups, int64_t width, HeteroCenterLoss p,
                        C* __restrict__ values, C* __restrict__ gradients) {
  TYTO_SHARED_ARRAY(C, first, kReduceWarps);
  TYTO_SHARED_ARRAY(C, second, kReduceWarps);
  TYTO_SHARED_ARRAY(C, third, kReduceWarps);
  const int32_t visible = static_cast<int32_t>(blockIdx.x), count = *groups.count;
  if (visible >= count) return;
  const int32_t thermal = other_modality(groups, count, visible);
  if (thermal == 0) {
    if (threadIdx.x == 0) values[visible] = 0;
    if (visible > 0 && groups.labels[visible - 1] == groups.labels[visible])
      return;  // the block before does it
    for (int64_t j = threadIdx.x; j < width; j += kBlock) gradients[visible * width + j] = 0;
    return;
  }
  const C *a = centers + visible * width, *b = centers + thermal * width;
  CenterTerms<C> sums{};
  for (int64_t j = threadIdx.x; j < width; j += kBlock) {
    const CenterTerms<C> terms = center_terms(p.distance, a[j], b[j]);
    sums = {sums.first + terms.first, sums.second + terms.second, sums.third + terms.third};
  }
  sums = {row_reduce<Plus, kBlock>(sums.first, first), row_reduce<Plus, kBlock>(sums.second, second),
          row_reduce<Plus, kBlock>(sums.third, third)};
  CentersApart<C> apart = centers_apart(p.distance, sums, width);
  const C over = apart.distance - static_cast<C>(p.margin);
  const bool counts = over > 0;
  if (!counts) apart = {};
  if (threadIdx.x == 0) values[visible] = counts ? over : C{0};
  for (int64_t j = threadIdx.x; j < width; j += kBlock) {
    const C sign = apart.of_sign * sign_of(a[j] - b[j]);
    gradients[visible * width + j] = apart.a_of_a * a[j] + apart.a_of_b * b[j] + sign;
    gradients[thermal * width + j] = apart.b_of_a * a[j] + apart.b_of_b * b[j] - sign;
  }
}

}  // namespace

template <class T>
int64_t hetero_center_loss_workspace(int64_t rows, int64_t width) {
  Workspace measured;
  HeteroCenterMemory<Computed<T>>(measured, rows, width);
  return measured.bytes();
}

template <class T>
void hetero_center_loss(const LabelledRows<T>& in, const int32_t* modalities, const HeteroCenterLoss& p,
                        const LossOutput<T>& out, void* workspace, Stream stream) {
  using C = Computed<T>;
  const int64_t n = in.rows, width = in.width;
  Workspace pieces(workspace);
  const HeteroCenterMemory<C> m(pieces, n, width);
  const RowsAs as{.unit = false};
  clear_status(m.found, stream);
  check_labels(in.labels, n, 0, LossInput::Labels, m.found, stream);
  check_labels(modalities, n, 2, LossInput::Modalities, m.found, stream);
  load_rows<T>(in.values, n, width, as, LossInput::Features, m.x, nullptr, m.found, stream);
  group_rows(in.labels, modalities, n, m.groups, stream);
  mean_rows(m.x, m.groups, n, width, m.centers, stream);
  launch<center_pairs_kernel<C>>({.grid = blocks_for(n, 1), .block = kBlock, .stream = stream}, m.centers,
                                 m.groups, width, p, m.values, m.center_gradients);
  sum_values(m.values, &m.groups, n, out.value, stream);
  finish_loss(m.found, out.value, 1, out.status, stream);
  if (out.gradient == nullptr) return;
  spread_mean_gradients(m.center_gradients, m.groups, n, width, m.gradients, stream);
  store_row_gradients<T>(m.gradients, m.x, nullptr, n, width, as, out.scale, m.found, out.gradient, stream);
}

#define TYTO_INSTANTIATE(T)                                                                         \
  template int64_t hetero_center_loss_workspace<T>(int64_t, int64_t);                               \
  template void hetero_center_loss(const LabelledRows<T>&, const int32_t*, const HeteroCenterLoss&, \
                                   const LossOutput<T>&, void*, Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
