// How cmdc_loss cuts its workspace, on the CPU and on CUDA.
#pragma once

#include "kernels/losses/class_centers.h"
#include "kernels/losses/cmdc.h"

namespace tyto::kernels {

template <class C>
struct CmdcMemory {
  LossStatus* found;  // [1]
  RowGroups groups;   // of which there are at most n
  C *x, *lengths;     // [n, width], [n]
  C* centers;         // [groups, width]
  // [groups, n]  distances of centres and rows, then the weights -w, w = d value / d distance / distance:
  // with them d value / d x_i = x_i sum_c w_ci - sum_c w_ci c, and so for the centres.
  C* weights;
  C *values, *center_sums, *row_sums;  // [groups], [groups], [n]: parts of the value, sums of w
  C *gradients, *center_gradients;     // [n, width], [groups, width]
  void* products;

  CmdcMemory(Workspace& workspace, int64_t n, int64_t width, int64_t products_bytes)
      : found(workspace.take<LossStatus>(1)),
        groups(workspace, n),
        x(workspace.take<C>(n * width)),
        lengths(workspace.take<C>(n)),
        centers(workspace.take<C>(n * width)),
        weights(workspace.take<C>(n * n)),
        values(workspace.take<C>(n)),
        center_sums(workspace.take<C>(n)),
        row_sums(workspace.take<C>(n)),
        gradients(workspace.take<C>(n * width)),
        center_gradients(workspace.take<C>(n * width)),
        products(workspace.take<char>(products_bytes)) {}
};

}  // namespace tyto::kernels
