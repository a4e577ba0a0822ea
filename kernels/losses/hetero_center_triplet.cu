// Hetero-centre triplet loss: the distances of all centres, of which a block takes an anchor's.
//
// Cost for n rows of width d and c centres: c^2 d multiply-adds for the distances, of which each is made
// once in two operations, and c^2 d for the gradient; beside them about 8 n d numbers moved.
#include "kernels/losses/hetero_center_triplet.h"

#include "kernels/common/launch.h"
#include "kernels/losses/first_largest.cuh"
#include "kernels/losses/hetero_center_memory.h"
#include "kernels/losses/row_products.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = kReduceBlock;

// distances, slopes [most, most]
template <class C>
__global__ void __launch_bounds__(kBlock)
    mine_centers_kernel(const C* __restrict__ distances, RowGroups groups, int64_t most, C margin,
                        C* __restrict__ values, C* __restrict__ slopes) {
  TYTO_SHARED_ARRAY(C, farthest_values, kReduceWarps);
  TYTO_SHARED_ARRAY(C, nearest_values, kReduceWarps);
  TYTO_SHARED_ARRAY(int32_t, farthest_places, kReduceWarps);
  TYTO_SHARED_ARRAY(int32_t, nearest_places, kReduceWarps);
  const int32_t anchor = static_cast<int32_t>(blockIdx.x), count = *groups.count;
  if (anchor >= count) return;
  const int32_t label = groups.labels[anchor];
  NumberAt<C> farthest, nearest;
  distances += anchor * most;
  for (int32_t c = static_cast<int32_t>(threadIdx.x); c < count; c += kBlock)
    if (groups.labels[c] == label)
      farthest = first_larger(farthest, {distances[c], c});
    else
      nearest = first_larger(nearest, {-distances[c], c});
  farthest = first_largest(farthest, farthest_values, farthest_places);
  nearest = first_largest(nearest, nearest_values, nearest_places);
  const C over = nearest.at < 0 ? C{0} : farthest.v + nearest.v + margin;  // whose v is the distance negated
  const bool counts = over > 0;
  const C share = C{1} / static_cast<C>(count);
  if (threadIdx.x == 0) values[anchor] = counts ? over * share : C{0};
  for (int32_t c = static_cast<int32_t>(threadIdx.x); c < count; c += kBlock) {
    C slope = 0;
    if (counts && c == farthest.at && c != anchor) slope = share;
    if (counts && c == nearest.at) slope = -share;
    slopes[anchor * most + c] = slope;
  }
}

}  // namespace

template <class T>
int64_t hetero_center_triplet_loss_workspace(int64_t rows, int64_t width) {
  using C = Computed<T>;
  Workspace measured;
  HeteroCenterTripletMemory<C>(measured, rows, width, row_pairs_workspace<C>(rows, rows, width));
  return measured.bytes();
}

template <class T>
void hetero_center_triplet_loss(const LabelledRows<T>& in, const int32_t* modalities,
                                const HeteroCenterTripletLoss& p, const LossOutput<T>& out, void* workspace,
                                Stream stream) {
  using C = Computed<T>;
  const int64_t n = in.rows, width = in.width;
  checked_int(n * n, "the pairs of a loss");
  Workspace pieces(workspace);
  const HeteroCenterTripletMemory<C> m(pieces, n, width, row_pairs_workspace<C>(n, n, width));
  const RowsAs as{.unit = false};
  clear_status(m.found, stream);
  check_labels(in.labels, n, 0, LossInput::Labels, m.found, stream);
  check_labels(modalities, n, 2, LossInput::Modalities, m.found, stream);
  load_rows<T>(in.values, n, width, as, LossInput::Features, m.x, nullptr, m.found, stream);
  group_rows(in.labels, modalities, n, m.groups, stream);
  mean_rows(m.x, m.groups, n, width, m.centers, stream);
  const RowPairs<C> pairs{m.centers, m.centers, n, n, width, m.groups.count};
  row_distances(pairs, m.distances, m.products, stream);
  launch<mine_centers_kernel<C>>({.grid = blocks_for(n, 1), .block = kBlock, .stream = stream}, m.distances,
                                 m.groups, n, static_cast<C>(p.margin), m.values, m.slopes);
  sum_values(m.values, &m.groups, n, out.value, stream);
  finish_loss(m.found, out.value, 1, out.status, stream);
  if (out.gradient == nullptr) return;
  distance_weights(m.distances, n, m.slopes, stream, m.groups.count);
  weighted_rows(pairs, m.slopes, SumOver::B, false, m.center_gradients, m.products, stream);
  spread_mean_gradients(m.center_gradients, m.groups, n, width, m.gradients, stream);
  store_row_gradients<T>(m.gradients, m.x, nullptr, n, width, as, out.scale, m.found, out.gradient, stream);
}

#define TYTO_INSTANTIATE(T)                                                                             \
  template int64_t hetero_center_triplet_loss_workspace<T>(int64_t, int64_t);                           \
  template void hetero_center_triplet_loss(const LabelledRows<T>&, const int32_t*,                      \
                                           const HeteroCenterTripletLoss&, const LossOutput<T>&, void*, \
                                           Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
