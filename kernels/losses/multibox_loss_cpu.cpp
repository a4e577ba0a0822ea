#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/common/host_elements.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/workspace.h"
#include "kernels/losses/match_priors_math.h"
#include "kernels/losses/multibox_loss_math.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kChunk = 256;  // rows whose terms are summed one after the other
constexpr int64_t kLanes = 16;   // classes that are worked on side by side

template <class C>
struct Memory {
  LossStatus *matching, *mining;
  int32_t *labels, *objects;      // [batch, priors]
  uint8_t* selected;              // [batch, priors]
  int32_t* positives;             // [batch]
  double *location, *confidence;  // [chunks]
  void *match, *mine;

  Memory(Workspace& workspace, int64_t batch, int64_t priors, int64_t match_bytes, int64_t mine_bytes)
      : matching(workspace.take<LossStatus>(2)),
        mining(matching + 1),
        labels(workspace.take<int32_t>(batch * priors)),
        objects(workspace.take<int32_t>(batch * priors)),
        selected(workspace.take<uint8_t>(batch * priors)),
        positives(workspace.take<int32_t>(batch)),
        location(workspace.take<double>((batch * priors + kChunk - 1) / kChunk)),
        confidence(workspace.take<double>((batch * priors + kChunk - 1) / kChunk)),
        match(workspace.take<char>(match_bytes)),
        mine(workspace.take<char>(mine_bytes)) {}
};

template <class T>
Memory<Computed<T>> memory_of(Workspace& workspace, int64_t batch, int64_t capacity, int64_t priors) {
  return {workspace, batch, priors, match_priors_cpu_workspace<Computed<T>>(batch, capacity, priors),
          mine_negatives_cpu_workspace<T>(batch, priors)};
}

template <class T>
void fill(T* to, int64_t count, Computed<T> value) {
  for (int64_t i = 0; i < count; ++i) set_host_element(to, i, value);
}

template <class C>
struct Softmax {
  C largest, sum;  // of the logits, of e^(logit - largest)
};

template <class T>
[[gnu::always_inline]] inline Softmax<Computed<T>> make_softmax(const T* logits, int64_t classes) {
  using C = Computed<T>;
  C largest = host_element(logits, 0), lanes[kLanes] = {}, sum = 0;
  for (int64_t c = 1; c < classes; ++c) largest = std::max(largest, host_element(logits, c));
  const int64_t whole = classes / kLanes * kLanes;
  for (int64_t first = 0; first < whole; first += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += exp_of(host_element(logits, first + l) - largest);
  for (int64_t c = whole; c < classes; ++c) lanes[c - whole] += exp_of(host_element(logits, c) - largest);
  for (int64_t l = 0; l < kLanes; ++l) sum += lanes[l];
  return {largest, sum};
}

template <class T>
[[gnu::always_inline]] inline void scale_softmax(const T* logits, int64_t classes,
                                                 const Softmax<Computed<T>>& row, Computed<T> by, T* to) {
  for (int64_t c = 0; c < classes; ++c)
    set_host_element(to, c, by * (exp_of(host_element(logits, c) - row.largest) / row.sum));
}

#define TYTO_OF(T)                                                                                         \
  TYTO_MULTIVERSION Softmax<Computed<T>> softmax_of_row(const T* logits, int64_t classes) {                \
    return make_softmax(logits, classes);                                                                  \
  }                                                                                                        \
  TYTO_MULTIVERSION void scaled_softmax(const T* logits, int64_t classes, const Softmax<Computed<T>>& row, \
                                        Computed<T> by, T* to) {                                           \
    scale_softmax(logits, classes, row, by, to);                                                           \
  }
TYTO_OF(double)
TYTO_OF(float)
TYTO_OF(Half)
TYTO_OF(BFloat16)
#undef TYTO_OF

template <class T>
struct Pass {
  using C = Computed<T>;
  const MultiboxInput<T>& in;
  const MultiboxLoss& loss;
  const MultiboxOutput<T>& out;
  const Memory<C>& m;
  C slope;  // scale / normalizer

  // The cross entropy of row i; its gradient is written.
  double confidence(int64_t i) const {
    const T* logits = host_address(in.logits, i * in.classes);
    const int32_t label = m.labels[i];
    const auto [largest, sum] = softmax_of_row(logits, in.classes);
    const C weight = static_cast<C>(row_weight(m.selected[i], loss.mine.rule));
    const C wanted = host_element(logits, label) - largest, least = static_cast<C>(loss.least_probability);
    const bool clamped = exp_of(wanted) / sum < least;
    if (out.logits_gradient != nullptr && !clamped) {
      T* gradient = host_address(out.logits_gradient, i * in.classes);
      const C by = slope * weight;
      scaled_softmax(logits, in.classes, Softmax<C>{largest, sum}, by, gradient);
      set_host_element(gradient, label, by * (exp_of(wanted) / sum - 1));
    }
    return weight * (clamped ? -log_of(least) : log_of(sum) - wanted);
  }

  // Smooth L1 of positive row i; its gradient is written.
  double location(int64_t i, LossStatus& found) const {
    const int64_t image = i / in.priors.count, prior = i % in.priors.count;
    const C* box = in.objects.boxes + 4 * (image * in.objects.capacity + m.objects[i]);
    const auto target = location_target(in.priors.boxes + 4 * prior, in.priors.corners,
                                        BoxOf<C>{box[0], box[1], box[2], box[3]}, loss.match.variance);
    C said[4];
    for (int64_t k = 0; k < 4; ++k) said[k] = host_element(in.locations, 4 * i + k);
    const C zero = 0 * said[0] + 0 * said[1] + 0 * said[2] + 0 * said[3];  // or NaN
    if (zero != zero) found = std::max(found, loss_status(LossFault::NotFinite, LossInput::Locations, i));
    double sum = 0;
    for (size_t k = 0; k < 4; ++k) {
      const C d = said[k] - target[k] + zero;
      sum += smooth_l1(d);
      if (out.locations_gradient != nullptr)
        set_host_element(out.locations_gradient, 4 * i + static_cast<int64_t>(k), slope * smooth_l1_slope(d));
    }
    return sum;
  }

  LossStatus chunk(int64_t number) const {
    const int64_t first = number * kChunk, end = std::min(first + kChunk, in.objects.batch * in.priors.count);
    // All bits of a zero are 0, in every type.
    if (out.locations_gradient != nullptr)
      std::memset(host_address(out.locations_gradient, 4 * first), 0,
                  static_cast<size_t>(4 * (end - first)) * sizeof_element());
    if (out.logits_gradient != nullptr)
      std::memset(host_address(out.logits_gradient, first * in.classes), 0,
                  static_cast<size_t>((end - first) * in.classes) * sizeof_element());
    double location_sum = 0, confidence_sum = 0;
    LossStatus found = 0;
    for (int64_t i = first; i < end; ++i) {
      if (m.selected[i] == 0) continue;
      confidence_sum += confidence(i);
      if ((m.selected[i] & kPositiveRow) != 0) location_sum += location(i, found);
    }
    m.location[number] = location_sum;
    m.confidence[number] = confidence_sum;
    return found;
  }

  static constexpr size_t sizeof_element() { return std::is_same_v<T, C> ? sizeof(C) : 2; }
};

}  // namespace

template <class T>
void multibox_loss_cpu(const MultiboxInput<T>& in, const MultiboxLoss& loss, const MultiboxOutput<T>& out,
                       void* memory) {
  using C = Computed<T>;
  const int64_t batch = in.objects.batch, rows = batch * in.priors.count;
  Workspace workspace(memory);
  const Memory<C> m = memory_of<T>(workspace, batch, in.objects.capacity, in.priors.count);
  *m.matching = *m.mining = 0;
  MatchPriors match = loss.match;
  match.classes = in.classes;
  match_priors_cpu<C>(in.objects, in.priors, match,
                      {.labels = m.labels, .objects = m.objects, .status = m.matching}, m.match);
  mine_negatives_cpu<T>({in.logits, m.labels, batch, in.priors.count, in.classes}, loss.mine,
                        {m.selected, m.positives, m.mining}, m.mine);
  LossStatus found = both_found(*m.matching, *m.mining);
  int64_t shares = 0;
  for (int64_t image = 0; image < batch; ++image)
    shares += normalizer_share(loss.normalizer, m.positives[image]);
  const auto normalizer = static_cast<double>(normalizer_of(loss.normalizer, shares));
  double location = 0, confidence = 0;
  constexpr C kNan = std::numeric_limits<C>::quiet_NaN();
  if (is_fatal(found)) {
    if (out.locations_gradient != nullptr) fill(out.locations_gradient, 4 * rows, kNan);
    if (out.logits_gradient != nullptr) fill(out.logits_gradient, rows * in.classes, kNan);
  } else {
    const Pass<T> pass = {in, loss, out, m, static_cast<C>(out.scale / normalizer)};
    const int64_t chunks = (rows + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static) reduction(max : found)
    for (int64_t i = 0; i < chunks; ++i) found = std::max(found, pass.chunk(i));
    for (int64_t i = 0; i < chunks; ++i) {
      location += m.location[i];
      confidence += m.confidence[i];
    }
  }
  const bool nothing = is_fatal(found);
  out.value[0] = nothing ? kNan : static_cast<C>(location / normalizer);
  out.value[1] = nothing ? kNan : static_cast<C>(confidence / normalizer);
  out.value[2] = nothing ? kNan : static_cast<C>(normalizer);
  if (out.status != nullptr) *out.status = std::max(*out.status, found);
}

template <class T>
int64_t multibox_loss_cpu_workspace(int64_t batch, int64_t capacity, int64_t priors) {
  Workspace workspace;
  memory_of<T>(workspace, batch, capacity, priors);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(T)                                                                               \
  template void multibox_loss_cpu(const MultiboxInput<T>&, const MultiboxLoss&, const MultiboxOutput<T>&, \
                                  void*);                                                                 \
  template int64_t multibox_loss_cpu_workspace<T>(int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
