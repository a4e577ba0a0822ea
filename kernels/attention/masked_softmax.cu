// Attention's softmax: a warp or a block owns a query's keys (kernels/common/row_reduce.cuh) and reads them
// three times: for the largest, for the sum and for the result. A key that is left out counts as -infinity.
// Lanes move 16 bytes of scores, four keys.
//
// Cost: scores are read from memory once and then from L1, probabilities written once; bias and mask stay in
// L2, for many heads or images share them. Bound by memory.
#include "kernels/attention/masked_softmax.h"

#include "kernels/common/row_reduce.cuh"

namespace tyto::kernels {
namespace {

// scores and probabilities may be one array: each element is read by the thread that writes it, and not
// after.
template <class T, int N, int kThreads>
__global__ void __launch_bounds__(kReduceBlock)
    masked_softmax_kernel(const float* scores, AttentionShape shape, AttentionBias<T> bias,
                          AttentionMask mask, T* probabilities) {
  TYTO_SHARED_ARRAY(float, partial, 2 * kReduceWarps);
  const int64_t row = row_of_thread<kThreads>();
  if (row >= shape.rows()) return;
  const auto heads = static_cast<unsigned>(shape.heads), queries = static_cast<unsigned>(shape.queries);
  const auto query = static_cast<unsigned>(row) % queries, head_of_all = static_cast<unsigned>(row) / queries;
  const auto head = head_of_all % heads, b = head_of_all / heads;
  const int keys = static_cast<int>(shape.keys);
  const T* added = bias.of(b, head, shape);
  if (added) added += query * shape.keys;
  const int32_t* kept = mask.of(b, shape);
  if (kept) kept += query * mask.stride(shape);
  scores += row * keys;
  probabilities += row * keys;

  const auto load_scores = [&](int k, float(&v)[N]) {
    load<N>(scores + k, v);
    float w[N];
    if (added) {
      load<N>(added + k, w);
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] += w[i];
    }
    if (kept) {
      load<N>(kept + k, w);
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] = w[i] != 0 ? v[i] : Larger::kStart;
    }
  };
  float largest = Larger::kStart, sum = 0;
  for_each_pack<N, kThreads>(keys, [&](int k) {
    float v[N];
    load_scores(k, v);
#pragma unroll
    for (int i = 0; i < N; ++i) largest = Larger{}(largest, v[i]);
  });
  largest = row_reduce<Larger, kThreads>(largest, partial);
  const bool none = largest == Larger::kStart;
  for_each_pack<N, kThreads>(keys, [&](int k) {
    float v[N];
    load_scores(k, v);
#pragma unroll
    for (int i = 0; i < N; ++i) sum += expf(v[i] - largest);
  });
  const float by = 1 / row_reduce<Plus, kThreads>(sum, partial + kReduceWarps);
  for_each_pack<N, kThreads>(keys, [&](int k) {
    float v[N];
    load_scores(k, v);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = none ? 0 : expf(v[i] - largest) * by;
    store<N>(v, probabilities + k);
  });
}

}  // namespace

template <class T>
void masked_softmax(const float* scores, const AttentionShape& shape, const AttentionBias<T>& bias,
                    const AttentionMask& mask, T* probabilities, Stream stream) {
  checked_int(shape.keys, "attention's keys");
  checked_int(shape.rows(), "attention's queries of all heads");
  // A score's comparison, difference, sum and product.
  const double map = static_cast<double>(shape.rows()) * static_cast<double>(shape.keys);
  const auto go = [&]<int N, int kThreads>() {
    LaunchConfig config = cover_reduced_rows<kThreads>(shape.rows(), stream);
    config.work = {.operations = 4 * map, .exponentials = map};
    launch<masked_softmax_kernel<T, N, kThreads>>(config, scores, shape, bias, mask, probabilities);
  };
  constexpr int N = kPack<float>;
  if (packable<N>(shape.keys, scores) && packable<N>(shape.keys, bias.data, probabilities) &&
      packable<N>(shape.keys, mask.data))
    with_row_threads<N>(shape.keys, go);
  else
    with_row_threads<1>(shape.keys, go);
}

template void masked_softmax<float>(const float*, const AttentionShape&, const AttentionBias<float>&,
                                    const AttentionMask&, float*, Stream);
template void masked_softmax<Half>(const float*, const AttentionShape&, const AttentionBias<Half>&,
                                   const AttentionMask&, Half*, Stream);
template void masked_softmax<BFloat16>(const float*, const AttentionShape&, const AttentionBias<BFloat16>&,
                                       const AttentionMask&, BFloat16*, Stream);

}  // namespace tyto::kernels
