// Multibox distillation on CUDA, in one pass over the batch's rows, a row being an image's prior.
//
// A block takes 128 rows. A thread judges a row's location; then all fill the block's logit gradients with
// zeros, and a warp at a time takes a selected row, which it reads from L1 after the first time and whose
// gradient it writes over the zeros. Sums go in double, up a tree of fixed shape.
//
// Cost for n rows of c classes, of which s are selected: n (c + 4) gradients written, 5 n bytes of selection
// and 2 s (c + 4) predictions read; ten exponentials a class of a selected row. Bound by memory where few
// rows are selected, as in training.
#include "kernels/losses/multibox_distillation.h"

#include "kernels/common/launch.h"
#include "kernels/common/row_reduce.cuh"
#include "kernels/common/workspace.h"
#include "kernels/losses/faults.cuh"
#include "kernels/losses/multibox_distillation_math.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 128;  // threads, and rows
constexpr int kWarps = kBlock / kWarp;

struct Batch {
  LossStatus before, found;  // by matching and mining, and here
  double normalizer;
};

struct Memory {
  Batch* batch;  // [1]
  double* sums;  // [kDistilledSums, blocks]
  int64_t blocks;

  Memory(Workspace& workspace, int64_t rows)
      : batch(workspace.take<Batch>(1)),
        sums(workspace.take<double>(kDistilledSums * blocks_for(rows, kBlock))),
        blocks(blocks_for(rows, kBlock)) {}
};

template <class T>
__global__ void __launch_bounds__(kWarp)
    begin_distillation_kernel(MultiboxSelection<T> in, MultiboxNormalizer rule, Batch* batch) {
  int64_t shares = 0;
  for (int64_t image = threadIdx.x; image < in.batch; image += kWarp)
    shares += normalizer_share(rule, in.positives[image]);
  shares = warp_sum(shares);
  if (threadIdx.x == 0) *batch = {found_before(in), 0, static_cast<double>(normalizer_of(rule, shares))};
}

// softmax(z / T) of a row of finite logits, by a warp.
template <class T>
__device__ inline Softened<Computed<T>> soften(const T* row, int classes, Computed<T> largest,
                                               Computed<T> temperature) {
  using C = Computed<T>;
  Softened<C> out{.temperature = temperature, .largest = largest};
  C sum = 0;
  for (int c = threadIdx.x % kWarp; c < classes; c += kWarp) sum += out.raised(computed(row[c]));
  out.sum = warp_sum(sum);
  out.log_sum = log_of(out.sum);
  return out;
}

// The largest logit; NaN if the row is not finite.
template <class T>
__device__ inline Computed<T> largest_of(const T* row, int classes) {
  using C = Computed<T>;
  C largest = computed(row[0]);
  bool finite = true;
  for (int c = threadIdx.x % kWarp; c < classes; c += kWarp) {
    const C v = computed(row[c]);
    finite = finite && v * 0 == 0;
    largest = Larger{}(largest, v);
  }
  largest = warp_reduce<Larger>(largest);
  return __all_sync(kFullWarp, finite) ? largest : not_a_number<C>();
}

template <class C>
struct LogitTerms {
  C soft, confidence;
};

// A warp: the terms of a selected row, which every lane gets, and its gradient.
template <class T>
__device__ inline LogitTerms<Computed<T>> distil_row(const T* __restrict__ student,
                                                     const T* __restrict__ teacher, int classes, int label,
                                                     const DistillationRules<Computed<T>>& rules,
                                                     Computed<T> scale, int64_t row, LossStatus* found,
                                                     T* gradient) {
  using C = Computed<T>;
  const int lane = threadIdx.x % kWarp;
  const C largest = largest_of(student, classes), of_teacher = largest_of(teacher, classes);
  if (largest != largest || of_teacher != of_teacher) {
    if (lane == 0)
      report(found, LossFault::NotFinite, largest != largest ? LossInput::Logits : LossInput::TeacherLogits,
             row);
    if (gradient != nullptr)
      for (int c = lane; c < classes; c += kWarp) gradient[c] = rounded_to<T>(not_a_number<C>());
    return {0, 0};
  }
  const auto plain = soften(student, classes, largest, C{1});
  const auto soft_student = soften(student, classes, largest, rules.temperature);
  const auto soft_teacher = soften(teacher, classes, of_teacher, rules.temperature);
  C soft = 0, pulls = 0;
  for (int c = lane; c < classes; c += kWarp) {
    const auto term =
        divergence_term(soft_teacher, computed(teacher[c]), soft_student, computed(student[c]), c, rules);
    soft += term.value;
    pulls += term.pull;
  }
  soft = warp_sum(soft);
  const C confidence = plain.log_sum - (computed(student[label]) - plain.largest);
  if (gradient == nullptr) return {soft, confidence};
  pulls = warp_sum(pulls);
  const C of_soft = scale * rules.soft * rules.temperature, of_confidence = scale * rules.confidence;
  for (int c = lane; c < classes; c += kWarp) {
    const C z = computed(student[c]);
    const auto term = divergence_term(soft_teacher, computed(teacher[c]), soft_student, z, c, rules);
    const C wrong = plain.probability(z) - (c == label ? C{1} : C{0});
    gradient[c] = rounded_to<T>(of_confidence * wrong + of_soft * (term.q * pulls - term.pull));
  }
  return {soft, confidence};
}

template <class T>
__device__ inline void load_location(const T* from, int64_t row, Computed<T> (&to)[4]) {
  Pack<T, 4> pack;
  copy_pack(reinterpret_cast<const Pack<T, 4>*>(from)[row], pack);
#pragma unroll
  for (int k = 0; k < 4; ++k) to[k] = computed(pack.values[k]);
}

// A thread: the sums of a positive row's location, and its gradient.
template <class T>
__device__ inline DistilledLocation<Computed<T>> distil_location(const MultiboxSelection<T>& in,
                                                                 const T* __restrict__ student,
                                                                 const T* __restrict__ teacher,
                                                                 const DistillationRules<Computed<T>>& rules,
                                                                 int64_t row, LossStatus* found) {
  using C = Computed<T>;
  C location[4], bound[4], target[4];
  load_location(student, row, location);
  load_location(teacher, row, bound);
  load_location(in.targets, row, target);
  auto out = distilled_location(location, bound, target, rules);
  if (const LossStatus fault = location_fault(location, bound, target, row); fault != 0) {
    atomicMax(found, fault);
#pragma unroll
    for (C& g : out.gradient) g = not_a_number<C>();
  }
  return out;
}

// to [count] = v, by the block; `to` is aligned to 16 bytes.
template <class T>
__device__ inline void fill(T* to, int64_t count, T v) {
  constexpr int kPackSize = kPack<T>;
  Pack<T, kPackSize> pack;
#pragma unroll
  for (T& value : pack.values) value = v;
  const int64_t packs = count / kPackSize;
  for (int64_t i = threadIdx.x; i < packs; i += kBlock)
    copy_pack(pack, reinterpret_cast<Pack<T, kPackSize>*>(to)[i]);
  for (int64_t i = packs * kPackSize + threadIdx.x; i < count; i += kBlock) to[i] = v;
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    distillation_kernel(MultiboxSelection<T> in, MultiboxPredictions<T> student,
                        MultiboxPredictions<T> teacher, DistillationRules<Computed<T>> rules,
                        MultiboxDistillationOutput<T> out, Batch* __restrict__ batch,
                        double* __restrict__ sums) {
  using C = Computed<T>;
  TYTO_SHARED_ARRAY(int, selected, kBlock);     // rows of the block
  TYTO_SHARED_ARRAY(int, selected_of, kWarps);  // how many of a warp's
  TYTO_SHARED_ARRAY(double, sums_of, kWarps* kDistilledSums);
  const int thread = threadIdx.x, warp = thread / kWarp, lane = thread % kWarp;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kBlock, row = first + thread;
  const int64_t rows = in.batch * in.priors;
  const int classes = static_cast<int>(in.classes);
  const bool lost = is_fatal(batch->before);
  const C scale = static_cast<C>(out.scale / batch->normalizer), nan = not_a_number<C>();

  const bool takes = row < rows && !lost && in.selected[row] != 0;
  const int32_t label = takes ? in.labels[row] : 0;
  const bool labelled = label >= 0 && label < classes;
  DistilledLocation<C> location{};
  if (lost || !labelled)
#pragma unroll
    for (C& g : location.gradient) g = nan;
  else if (label > 0)
    location = distil_location(in, student.locations, teacher.locations, rules, row, &batch->found);
  if (!labelled) report(&batch->found, LossFault::Label, LossInput::Labels, row);
  if (out.locations_gradient != nullptr && row < rows) {
    Pack<T, 4> pack;
#pragma unroll
    for (int k = 0; k < 4; ++k) pack.values[k] = rounded_to<T>(scale * location.gradient[k]);
    copy_pack(pack, reinterpret_cast<Pack<T, 4>*>(out.locations_gradient)[row]);
  }
  double of_thread[kDistilledSums] = {0, 0, static_cast<double>(location.l2),
                                      static_cast<double>(location.smooth)};

  const unsigned taking = __ballot_sync(kFullWarp, takes);
  if (lane == 0) selected_of[warp] = __popc(taking);
  T* gradients = out.logits_gradient == nullptr ? nullptr : out.logits_gradient + first * classes;
  if (gradients != nullptr) {
    const int64_t here = rows - first < kBlock ? rows - first : kBlock;
    fill(gradients, here * classes, rounded_to<T>(lost ? nan : C{0}));
  }
  __syncthreads();
  int before = 0, count = 0;
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp) before += selected_of[w];
    count += selected_of[w];
  }
  if (takes) selected[before + __popc(taking & ((1u << lane) - 1))] = thread;
  __syncthreads();

  for (int i = warp; i < count; i += kWarps) {
    const int at = selected[i];
    const int64_t its_row = first + at;
    const int32_t its_label = in.labels[its_row];
    T* gradient = gradients == nullptr ? nullptr : gradients + static_cast<int64_t>(at) * classes;
    if (its_label < 0 || its_label >= classes) {
      if (gradient != nullptr)
        for (int c = lane; c < classes; c += kWarp) gradient[c] = rounded_to<T>(nan);
      continue;
    }
    const auto terms = distil_row(student.logits + its_row * classes, teacher.logits + its_row * classes,
                                  classes, its_label, rules, scale, its_row, &batch->found, gradient);
    if (lane == 0) {
      of_thread[0] += static_cast<double>(terms.soft);
      of_thread[1] += static_cast<double>(terms.confidence);
    }
  }
#pragma unroll
  for (int k = 0; k < kDistilledSums; ++k) {
    const double of_warp = warp_sum(of_thread[k]);
    if (lane == 0) sums_of[warp * kDistilledSums + k] = of_warp;
  }
  __syncthreads();
  if (thread < kDistilledSums) {
    double of_block = 0;
    for (int w = 0; w < kWarps; ++w) of_block += sums_of[w * kDistilledSums + thread];
    sums[static_cast<int64_t>(thread) * gridDim.x + blockIdx.x] = of_block;
  }
}

// A warp sums a term.
template <class C>
__global__ void __launch_bounds__(kDistilledSums* kWarp)
    finish_distillation_kernel(const Batch* __restrict__ batch, const double* __restrict__ sums,
                               int64_t blocks, MultiboxDistillation options, C* __restrict__ value,
                               LossStatus* status) {
  TYTO_SHARED_ARRAY(double, of_terms, kDistilledSums);
  const int term = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  double sum = 0;
  for (int64_t i = lane; i < blocks; i += kWarp) sum += sums[term * blocks + i];
  sum = warp_sum(sum);
  if (lane == 0) of_terms[term] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  const double all[kDistilledSums] = {of_terms[0], of_terms[1], of_terms[2], of_terms[3]};
  distillation_value(all, batch->normalizer, options, value);
  if (is_fatal(batch->before) || batch->found != 0)
    for (int i = 0; i < kDistillationTerms; ++i) value[i] = not_a_number<C>();
  if (status != nullptr) atomicMax(status, batch->found > batch->before ? batch->found : batch->before);
}

}  // namespace

template <class T>
int64_t multibox_distillation_workspace(int64_t batch, int64_t priors) {
  Workspace measured;
  Memory(measured, batch * priors);
  return measured.bytes();
}

template <class T>
void multibox_distillation(const MultiboxSelection<T>& in, const MultiboxPredictions<T>& student,
                           const MultiboxPredictions<T>& teacher, const MultiboxDistillation& options,
                           const MultiboxDistillationOutput<T>& out, void* workspace, Stream stream) {
  using C = Computed<T>;
  const int64_t rows = in.batch * in.priors;
  checked_int(rows, "the priors of a batch");
  checked_int(in.classes, "the classes");
  Workspace pieces(workspace);
  const Memory m(pieces, rows);
  launch<begin_distillation_kernel<T>>({.grid = 1, .block = kWarp, .stream = stream}, in, options.normalizer,
                                       m.batch);
  launch<distillation_kernel<T>>({.grid = blocks_for(rows, kBlock), .block = kBlock, .stream = stream}, in,
                                 student, teacher, DistillationRules<C>(options), out, m.batch, m.sums);
  launch<finish_distillation_kernel<C>>({.grid = 1, .block = kDistilledSums * kWarp, .stream = stream},
                                        m.batch, m.sums, m.blocks, options, out.value, out.status);
}

#define TYTO_INSTANTIATE(T)                                                                       \
  template void multibox_distillation(const MultiboxSelection<T>&, const MultiboxPredictions<T>&, \
                                      const MultiboxPredictions<T>&, const MultiboxDistillation&, \
                                      const MultiboxDistillationOutput<T>&, void*, Stream);       \
  template int64_t multibox_distillation_workspace<T>(int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
