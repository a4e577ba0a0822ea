// The frame of a loss over the pairs of one batch: rows to x, x to the products or distances of all pairs,
// these to a value and its slopes (the one step in which such losses differ), slopes to the gradient of the
// rows. Of the family's own use.
//
// Cost for n rows of width d: n^2 d multiply-adds for the pairs (each once), 2 n^2 d for the gradient; beside
// them n^2 numbers are written and read a few times.
#pragma once

#include <functional>

#include "kernels/losses/feature_rows.h"
#include "kernels/losses/row_products.h"
#include "kernels/losses/workspace.h"

namespace tyto::kernels {

enum class PairMeasure { Product, Distance };

struct PairwiseFrame {
  PairMeasure measure = PairMeasure::Product;
  RowsAs rows;
};

template <class C>
struct PairwiseMemory {
  LossStatus* found;
  C *x, *lengths, *measures, *slopes, *gradients;
  void* products;

  PairwiseMemory(Workspace& workspace, int64_t n, int64_t width, int64_t products_bytes)
      : found(workspace.take<LossStatus>(1)),
        x(workspace.take<C>(n * width)),
        lengths(workspace.take<C>(n)),
        measures(workspace.take<C>(n * n)),
        slopes(workspace.take<C>(n * n)),
        gradients(workspace.take<C>(n * width)),
        products(workspace.take<char>(products_bytes)) {}
};

// slopes(measures [n, n], slopes [n, n], value): writes the value and every slope; slopes[i][i] is 0. On the
// CPU it computes, on CUDA it launches. It may meet NaN among the measures, and the frame overwrites what it
// then gives.
template <class C>
using PairSlopes = std::function<void(const C* measures, C* slopes, C* value)>;

template <class T>
void pairwise_loss_cpu(const LabelledRows<T>&, const PairwiseFrame&, const PairSlopes<Computed<T>>&,
                       const LossOutput<T>&, Workspace&);
template <class T>
int64_t pairwise_loss_cpu_workspace(int64_t rows, int64_t width);

template <class T>
void pairwise_loss(const LabelledRows<T>&, const PairwiseFrame&, const PairSlopes<Computed<T>>&,
                   const LossOutput<T>&, Workspace&, Stream);
template <class T>
int64_t pairwise_loss_workspace(int64_t rows, int64_t width);

}  // namespace tyto::kernels
