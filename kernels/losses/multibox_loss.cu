// MultiBox loss after matching and mining: one kernel writes both gradients and the terms of each tile of
// rows, one block then adds the tiles. A block owns 64 rows, whose gradients lie one behind the other: it
// fills them with zeros, lists the rows that are selected, and then a warp takes a listed row; a thread
// takes a positive's location.
//
// Cost: both gradients written once, of selected rows once more; of logits and locations the selected rows
// are read. Bound by memory.
#include <cstring>

#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/common/workspace.h"
#include "kernels/losses/faults.cuh"
#include "kernels/losses/feature_rows.h"
#include "kernels/losses/match_priors_math.h"
#include "kernels/losses/multibox_loss_math.h"

namespace tyto::kernels {
namespace {

constexpr int kRows = 64;  // a block's
constexpr int kBlock = 128;
constexpr int kWarps = kBlock / kWarp;
constexpr int kSumBlock = 256;
constexpr int kSumWarps = kSumBlock / kWarp;

// What has been found: in objects and classes, in logits and labels, in locations.
struct Found {
  LossStatus matching, mining, locations;
};

struct Terms {
  double location, confidence;
};

template <class T>
struct Memory {
  Found* found;
  int32_t *labels, *objects;  // [batch, priors]
  uint8_t* selected;          // [batch, priors]
  int32_t* positives;         // [batch]
  Terms* terms;               // [tiles]
  void *match, *mine;

  Memory(Workspace& workspace, int64_t batch, int64_t capacity, int64_t priors)
      : found(workspace.take<Found>(1)),
        labels(workspace.take<int32_t>(batch * priors)),
        objects(workspace.take<int32_t>(batch * priors)),
        selected(workspace.take<uint8_t>(batch * priors)),
        positives(workspace.take<int32_t>(batch)),
        terms(workspace.take<Terms>((batch * priors + kRows - 1) / kRows)),
        match(workspace.take<char>(match_priors_workspace<Computed<T>>(batch, capacity, priors))),
        mine(workspace.take<char>(mine_negatives_workspace<T>(batch, priors))) {}
};

__global__ void clear_found_kernel(Found* found) { *found = {0, 0, 0}; }

// What the terms are divided by, for every lane of the warp.
__device__ __forceinline__ double normalizer(const int32_t* __restrict__ positives, int64_t batch,
                                             MultiboxNormalizer rule) {
  long long shares = 0;
  for (int64_t image = threadIdx.x % kWarp; image < batch; image += kWarp)
    shares += normalizer_share(rule, positives[image]);
  return static_cast<double>(normalizer_of(rule, warp_sum(shares)));
}

// [first, end) of `to`, whose first is aligned to 16 bytes.
template <class T>
__device__ void fill(T* to, int64_t count, Computed<T> value) {
  for (int64_t i = threadIdx.x; i < count; i += kBlock) to[i] = rounded_to<T>(value);
}
template <class T>
__device__ void clear(T* to, int64_t count) {
  constexpr int kAtOnce = 16 / static_cast<int>(sizeof(T));
  const Pack<uint32_t, 4> zeros = {{0, 0, 0, 0}};  // in every type
  const int64_t packs = count / kAtOnce;
  for (int64_t i = threadIdx.x; i < packs; i += kBlock)
    copy_pack(zeros, reinterpret_cast<Pack<uint32_t, 4>*>(to)[i]);
  for (int64_t i = packs * kAtOnce + threadIdx.x; i < count; i += kBlock) to[i] = rounded_to<T>(0);
}

template <class T>
struct Pass {
  MultiboxInput<T> in;
  MultiboxLoss loss;
  T *locations_gradient, *logits_gradient;
  double scale;
  Found* found;
  const int32_t *labels, *objects, *positives;
  const uint8_t* selected;
  Terms* terms;
};

// The cross entropy of row i, for every lane of the warp; its gradient is written.
template <class T>
__device__ __forceinline__ double confidence(const Pass<T>& pass, int64_t i, uint8_t selected,
                                             Computed<T> slope) {
  using C = Computed<T>;
  const int classes = static_cast<int>(pass.in.classes), lane = threadIdx.x % kWarp;
  const T* logits = pass.in.logits + i * classes;
  const int32_t label = pass.labels[i];
  C largest = computed(logits[0]), sum = 0;
  for (int c = lane; c < classes; c += kWarp) largest = Larger{}(largest, computed(logits[c]));
  largest = warp_reduce<Larger>(largest);
  for (int c = lane; c < classes; c += kWarp) sum += exp_of(computed(logits[c]) - largest);
  sum = warp_sum(sum);
  const C weight = static_cast<C>(row_weight(selected, pass.loss.mine.rule));
  const C wanted = computed(logits[label]) - largest, least = static_cast<C>(pass.loss.least_probability);
  const bool clamped = exp_of(wanted) / sum < least;
  if (pass.logits_gradient != nullptr && !clamped)
    for (int c = lane; c < classes; c += kWarp) {
      const C share = exp_of(computed(logits[c]) - largest) / sum;
      pass.logits_gradient[i * classes + c] =
          rounded_to<T>(slope * weight * (share - static_cast<C>(c == label)));
    }
  return weight * (clamped ? -log_of(least) : log_of(sum) - wanted);
}

// Smooth L1 of row i, if it is a positive; its gradient is written.
template <class T>
__device__ __forceinline__ double location(const Pass<T>& pass, int64_t i, bool positive, Computed<T> slope) {
  using C = Computed<T>;
  Pack<T, 4> gradient;
  for (int k = 0; k < 4; ++k) gradient.values[k] = rounded_to<T>(0);
  double sum = 0;
  if (positive) {
    const auto row = static_cast<unsigned>(i), priors = static_cast<unsigned>(pass.in.priors.count);
    const int64_t image = row / priors, prior = row % priors;
    Pack<C, 4> box, reference;
    Pack<T, 4> said;
    copy_pack(reinterpret_cast<const Pack<C, 4>*>(
                  pass.in.objects.boxes)[image * pass.in.objects.capacity + pass.objects[i]],
              box);
    copy_pack(reinterpret_cast<const Pack<C, 4>*>(pass.in.priors.boxes)[prior], reference);
    copy_pack(reinterpret_cast<const Pack<T, 4>*>(pass.in.locations)[i], said);
    const BoxOf<C> object = {box.values[0], box.values[1], box.values[2], box.values[3]};
    const auto target =
        location_target(reference.values, pass.in.priors.corners, object, pass.loss.match.variance);
    C zero = 0;  // or NaN
    for (int k = 0; k < 4; ++k) zero += 0 * computed(said.values[k]);
    if (zero != zero) report(&pass.found->locations, LossFault::NotFinite, LossInput::Locations, i);
    for (int k = 0; k < 4; ++k) {
      const C d = computed(said.values[k]) - target[k] + zero;
      sum += smooth_l1(d);
      gradient.values[k] = rounded_to<T>(slope * smooth_l1_slope(d));
    }
  }
  if (pass.locations_gradient != nullptr)
    copy_pack(gradient, reinterpret_cast<Pack<T, 4>*>(pass.locations_gradient)[i]);
  return sum;
}

// Six blocks an SM: for more the compiler would rather spill registers.
template <class T>
__global__ void __launch_bounds__(kBlock, 6) multibox_rows_kernel(Pass<T> pass) {
  using C = Computed<T>;
  TYTO_SHARED_ARRAY(int, listed, kRows);
  TYTO_SHARED_ARRAY(int, of_warp, kRows / kWarp);
  TYTO_SHARED_ARRAY(double, partial, kWarps + kRows / kWarp);
  const int64_t classes = pass.in.classes, first = static_cast<int64_t>(blockIdx.x) * kRows;
  const int rows =
      static_cast<int>(min(int64_t{kRows}, pass.in.objects.batch * pass.in.priors.count - first));
  const int thread = threadIdx.x, lane = thread % kWarp, warp = thread / kWarp;
  if (is_fatal(both_found(pass.found->matching, pass.found->mining))) {
    if (pass.locations_gradient != nullptr)
      fill(pass.locations_gradient + 4 * first, int64_t{4} * rows, not_a_number<C>());
    if (pass.logits_gradient != nullptr)
      fill(pass.logits_gradient + first * classes, rows * classes, not_a_number<C>());
    if (thread == 0) pass.terms[blockIdx.x] = {0, 0};
    return;
  }
  const double by = normalizer(pass.positives, pass.in.objects.batch, pass.loss.normalizer);
  const C slope = static_cast<C>(pass.scale) / static_cast<C>(by);
  if (pass.logits_gradient != nullptr) clear(pass.logits_gradient + first * classes, rows * classes);
  unsigned all = 0;
  if (thread < kRows) {  // whole warps
    const int mark = thread < rows ? pass.selected[first + thread] : 0;
    double sum = 0;
    if (thread < rows) sum = location(pass, first + thread, (mark & kPositiveRow) != 0, slope);
    sum = warp_sum(sum);
    all = __ballot_sync(kFullWarp, mark != 0);
    if (lane == 0) {
      of_warp[warp] = __popc(all);
      partial[kWarps + warp] = sum;
    }
  }
  __syncthreads();  // and the zeros are written
  int count = 0;
  for (int w = 0; w < kRows / kWarp; ++w) {
    if (w == warp && (all >> lane & 1) != 0) listed[count + __popc(all & ((1u << lane) - 1))] = thread;
    count += of_warp[w];
  }
  __syncthreads();
  double sum = 0;
  for (int k = warp; k < count; k += kWarps) {
    const int64_t i = first + listed[k];
    sum += confidence(pass, i, pass.selected[i], slope);
  }
  if (lane == 0) partial[warp] = sum;
  __syncthreads();
  if (thread != 0) return;
  Terms terms = {0, 0};
  for (int w = 0; w < kWarps; ++w) terms.confidence += partial[w];
  for (int w = kWarps; w < kWarps + kRows / kWarp; ++w) terms.location += partial[w];
  pass.terms[blockIdx.x] = terms;
}

template <class C>
__global__ void __launch_bounds__(kSumBlock)
    multibox_value_kernel(const Terms* __restrict__ terms, int tiles, const int32_t* __restrict__ positives,
                          int64_t batch, MultiboxNormalizer rule, const Found* __restrict__ found, C* value,
                          LossStatus* status) {
  TYTO_SHARED_ARRAY(Terms, partial, kSumWarps);
  const int thread = threadIdx.x;
  Terms sum = {0, 0};
  for (int i = thread; i < tiles; i += kSumBlock) {
    sum.location += terms[i].location;
    sum.confidence += terms[i].confidence;
  }
  sum = {warp_sum(sum.location), warp_sum(sum.confidence)};
  if (thread % kWarp == 0) partial[thread / kWarp] = sum;
  __syncthreads();
  const double by = normalizer(positives, batch, rule);
  if (thread != 0) return;
  for (int warp = 1; warp < kSumWarps; ++warp) {
    sum.location += partial[warp].location;
    sum.confidence += partial[warp].confidence;
  }
  const LossStatus earlier = both_found(found->matching, found->mining);
  const LossStatus all = earlier > found->locations ? earlier : found->locations;
  const bool nothing = is_fatal(all);
  value[0] = nothing ? not_a_number<C>() : static_cast<C>(sum.location / by);
  value[1] = nothing ? not_a_number<C>() : static_cast<C>(sum.confidence / by);
  value[2] = nothing ? not_a_number<C>() : static_cast<C>(by);
  if (status != nullptr && all != 0) atomicMax(status, all);
}

}  // namespace

template <class T>
void multibox_loss(const MultiboxInput<T>& in, const MultiboxLoss& loss, const MultiboxOutput<T>& out,
                   void* memory, Stream stream) {
  const int64_t batch = in.objects.batch, priors = in.priors.count;
  const int rows = checked_int(batch * priors, "the rows of a batch");
  checked_int(in.classes, "the classes");
  Workspace workspace(memory);
  const Memory<T> m(workspace, batch, in.objects.capacity, priors);
  MatchPriors match = loss.match;
  match.classes = in.classes;
  launch<clear_found_kernel>({.grid = 1, .block = 1, .stream = stream}, m.found);
  match_priors<Computed<T>>(in.objects, in.priors, match,
                            {.labels = m.labels, .objects = m.objects, .status = &m.found->matching}, m.match,
                            stream);
  mine_negatives<T>({in.logits, m.labels, batch, priors, in.classes}, loss.mine,
                    {m.selected, m.positives, &m.found->mining}, m.mine, stream);
  const unsigned tiles = blocks_for(rows, kRows);
  const Pass<T> pass = {in,
                        loss,
                        out.locations_gradient,
                        out.logits_gradient,
                        out.scale,
                        m.found,
                        m.labels,
                        m.objects,
                        m.positives,
                        m.selected,
                        m.terms};
  launch<multibox_rows_kernel<T>>({.grid = tiles, .block = kBlock, .stream = stream}, pass);
  launch<multibox_value_kernel<Computed<T>>>({.grid = 1, .block = kSumBlock, .stream = stream}, m.terms,
                                             static_cast<int>(tiles), m.positives, batch, loss.normalizer,
                                             m.found, out.value, out.status);
}

template <class T>
int64_t multibox_loss_workspace(int64_t batch, int64_t capacity, int64_t priors) {
  Workspace workspace;
  Memory<T>(workspace, batch, capacity, priors);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(T)                                                                                  \
  template void multibox_loss(const MultiboxInput<T>&, const MultiboxLoss&, const MultiboxOutput<T>&, void*, \
                              Stream);                                                                       \
  template int64_t multibox_loss_workspace<T>(int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
