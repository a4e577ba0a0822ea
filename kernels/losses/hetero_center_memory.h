// How the losses on the centres of modalities cut their workspace, on the CPU and on CUDA.
#pragma once

#include "kernels/losses/class_centers.h"

namespace tyto::kernels {

template <class C>
struct HeteroCenterMemory {
  LossStatus* found;  // [1]
  RowGroups groups;
  C *x, *gradients;               // [n, width]
  C *centers, *center_gradients;  // [groups, width]
  C* values;                      // [groups]  parts of the value

  HeteroCenterMemory(Workspace& workspace, int64_t n, int64_t width)
      : found(workspace.take<LossStatus>(1)),
        groups(workspace, n),
        x(workspace.take<C>(n * width)),
        gradients(workspace.take<C>(n * width)),
        centers(workspace.take<C>(n * width)),
        center_gradients(workspace.take<C>(n * width)),
        values(workspace.take<C>(n)) {}
};

template <class C>
struct HeteroCenterTripletMemory : HeteroCenterMemory<C> {
  C *distances, *slopes;  // [groups, groups]
  void* products;

  HeteroCenterTripletMemory(Workspace& workspace, int64_t n, int64_t width, int64_t products_bytes)
      : HeteroCenterMemory<C>(workspace, n, width),
        distances(workspace.take<C>(n * n)),
        slopes(workspace.take<C>(n * n)),
        products(workspace.take<char>(products_bytes)) {}
};

}  // namespace tyto::kernels
