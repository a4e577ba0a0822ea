// The launches of matching, mining and distillation: no kernel stands here.
#include <algorithm>

#include "kernels/losses/feature_rows.h"
#include "kernels/losses/multibox_distillation_memory.h"

namespace tyto::kernels {
namespace {

template <class T>
int64_t steps_workspace(int64_t batch, int64_t capacity, int64_t priors) {
  return std::max({match_priors_workspace<Computed<T>>(batch, capacity, priors),
                   mine_negatives_workspace<T>(batch, priors),
                   multibox_distillation_workspace<T>(batch, priors)});
}

}  // namespace

template <class T>
int64_t multibox_distillation_loss_workspace(int64_t batch, int64_t capacity, int64_t priors) {
  Workspace measured;
  MultiboxDistillationMemory<Computed<T>>(measured, batch, priors,
                                          steps_workspace<T>(batch, capacity, priors));
  return measured.bytes();
}

template <class T>
void multibox_distillation_loss(const MultiboxInput<T>& student, const MultiboxPredictions<T>& teacher,
                                const MultiboxDistillationLoss& loss,
                                const MultiboxDistillationOutput<T>& out, void* workspace, Stream stream) {
  using C = Computed<T>;
  const int64_t batch = student.objects.batch, priors = student.priors.count, classes = student.classes;
  Workspace pieces(workspace);
  const MultiboxDistillationMemory<C> m(pieces, batch, priors,
                                        steps_workspace<T>(batch, student.objects.capacity, priors));
  clear_status(m.matching, stream);
  clear_status(m.mining, stream);
  MatchPriors match = loss.match;
  match.classes = classes;
  match_priors<C>(student.objects, student.priors, match,
                  {.labels = m.labels, .targets = m.targets, .status = m.matching}, m.steps, stream);
  mine_negatives<T>({student.logits, m.labels, batch, priors, classes}, loss.mine,
                    {m.selected, m.positives, m.mining}, m.steps, stream);
  multibox_distillation<T>(
      {m.labels, m.targets, m.selected, m.positives, m.matching, m.mining, batch, priors, classes},
      {student.locations, student.logits}, teacher, loss.distillation, out, m.steps, stream);
}

#define TYTO_INSTANTIATE(T)                                                                        \
  template void multibox_distillation_loss(const MultiboxInput<T>&, const MultiboxPredictions<T>&, \
                                           const MultiboxDistillationLoss&,                        \
                                           const MultiboxDistillationOutput<T>&, void*, Stream);   \
  template int64_t multibox_distillation_loss_workspace<T>(int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
