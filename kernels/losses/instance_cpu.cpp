#include "kernels/common/host_elements.h"
#include "kernels/losses/anchor_loss_cpu.h"
#include "kernels/losses/instance_math.h"

namespace tyto::kernels {
namespace {

template <class C>
void mean_identities(const int32_t* labels, int64_t n, int64_t width, const IdentityMemory<C>& m) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; ++i)
    m.first_of_label[i] = static_cast<int32_t>(std::find(labels, labels + i, labels[i]) - labels);
#pragma omp parallel for schedule(dynamic, 8)
  for (int64_t i = 0; i < n; ++i) {
    C* mean = m.means + i * width;
    std::fill_n(mean, width, C{0});
    m.members[i] = 0;
    for (int64_t j = i; j < n; ++j) {
      if (m.first_of_label[j] != i) continue;
      ++m.members[i];
      for (int64_t k = 0; k < width; ++k) mean[k] += m.features[j * width + k];
    }
    for (int64_t k = 0; k < width && m.members[i] > 0; ++k)
      mean[k] = *m.found != 0 ? C{0} : mean[k] / static_cast<C>(m.members[i]);
  }
}

template <class T>
void spread_gradients(int64_t n, int64_t width, const IdentityMemory<Computed<T>>& m, T* to) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; ++i) {
    const int64_t first = m.first_of_label[i];
    for (int64_t k = 0; k < width; ++k)
      set_host_element(to, i * width + k,
                       m.gradients[first * width + k] / static_cast<Computed<T>>(m.members[first]));
  }
}

template <class T>
using Memory = AnchorMemory<InstanceRule<Computed<T>>, Computed<T>>;

template <class T>
void by_identity(const LabelledRows<T>& in, const InstanceLoss& options, const LossOutput<T>& out,
                 void* workspace) {
  using C = Computed<T>;
  Workspace lent(workspace);
  const IdentityMemory<C> m(lent, in.rows, in.width);
  *m.found = 0;
  load_rows_cpu<T>(in.values, in.rows, in.width, {.unit = false}, LossInput::Features, m.features, nullptr,
                   m.found);
  mean_identities(in.labels, in.rows, in.width, m);
  const LabelledRows<C> means{m.means, in.labels, in.rows, in.width};
  const Memory<T> anchors(lent, in.rows);
  const auto pairs = measure_pairs_cpu(means, instance_frame(options), lent);
  finish_loss_cpu<C>(m.found, nullptr, 0, pairs.found);
  anchor_step_cpu(InstanceRule<C>(options, m.first_of_label), pairs, anchors, in.labels, in.rows,
                  out.gradient != nullptr, out.value);
  finish_pairs_cpu(means, instance_frame(options), pairs,
                   {.value = out.value,
                    .gradient = out.gradient == nullptr ? nullptr : m.gradients,
                    .scale = out.scale,
                    .status = out.status});
  if (out.gradient != nullptr) spread_gradients(in.rows, in.width, m, out.gradient);
}

}  // namespace

template <class T>
int64_t instance_loss_cpu_workspace(int64_t rows, int64_t width, const InstanceLoss& options) {
  using C = Computed<T>;
  Workspace measured;
  if (options.by_identity) IdentityMemory<C>(measured, rows, width);
  return measured.bytes() + anchor_loss_cpu_workspace<InstanceRule<C>, C>(rows, width);
}

template <class T>
void instance_loss_cpu(const LabelledRows<T>& in, const InstanceLoss& options, const LossOutput<T>& out,
                       void* workspace) {
  if (options.by_identity)
    by_identity(in, options, out, workspace);
  else
    anchor_loss_cpu(in, instance_frame(options), InstanceRule<Computed<T>>(options, nullptr), out, workspace);
}

#define TYTO_INSTANTIATE(T)                                                               \
  template int64_t instance_loss_cpu_workspace<T>(int64_t, int64_t, const InstanceLoss&); \
  template void instance_loss_cpu(const LabelledRows<T>&, const InstanceLoss&, const LossOutput<T>&, void*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
