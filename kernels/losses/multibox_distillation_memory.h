// What multibox_distillation_loss takes from its workspace, on either device.
#pragma once

#include "kernels/common/workspace.h"
#include "kernels/losses/multibox_distillation.h"

namespace tyto::kernels {

template <class C>
struct MultiboxDistillationMemory {
  LossStatus *matching, *mining;  // [1] each
  int32_t* labels;                // [batch, priors]
  C* targets;                     // [batch, priors, 4]
  uint8_t* selected;              // [batch, priors]
  int32_t* positives;             // [batch]
  void* steps;                    // of matching, mining and distillation, one behind the other in time

  MultiboxDistillationMemory(Workspace& workspace, int64_t batch, int64_t priors, int64_t steps_bytes)
      : matching(workspace.take<LossStatus>(2)),
        mining(matching + 1),
        labels(workspace.take<int32_t>(batch * priors)),
        targets(workspace.take<C>(4 * batch * priors)),
        selected(workspace.take<uint8_t>(batch * priors)),
        positives(workspace.take<int32_t>(batch)),
        steps(workspace.take<char>(steps_bytes)) {}
};

}  // namespace tyto::kernels
