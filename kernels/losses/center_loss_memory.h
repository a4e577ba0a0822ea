// How center_loss and update_centers cut their workspace, on the CPU and on CUDA.
#pragma once

#include "kernels/losses/center_loss.h"
#include "kernels/losses/class_centers.h"

namespace tyto::kernels {

template <class C>
struct CenterLossMemory {
  LossStatus* found;  // [1]
  RowGroups groups;
  C *x, *lengths;                 // [n, width], [n]
  C *centers, *center_gradients;  // [groups, width]
  C *values, *gradients;          // [n], [n, width]

  CenterLossMemory(Workspace& workspace, int64_t n, int64_t width)
      : found(workspace.take<LossStatus>(1)),
        groups(workspace, n),
        x(workspace.take<C>(n * width)),
        lengths(workspace.take<C>(n)),
        centers(workspace.take<C>(n * width)),
        center_gradients(workspace.take<C>(n * width)),
        values(workspace.take<C>(n)),
        gradients(workspace.take<C>(n * width)) {}
};

}  // namespace tyto::kernels
