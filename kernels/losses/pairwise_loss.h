// The frame of a loss over the pairs of one batch: rows to x, x to the products or distances of all pairs;
// then the loss makes of these a value and its slopes, the one step in which such losses differ; then slopes
// to the gradient of the rows. Of the family's own use.
//
// Cost for n rows of width d: n^2 d / 2 multiply-adds for the pairs (each once), n^2 d for the gradient;
// rows of d numbers are written or read eight times on CUDA, the n^2 numbers of pairs six times.
#pragma once

#include "kernels/common/workspace.h"
#include "kernels/losses/feature_rows.h"
#include "kernels/losses/row_products.h"

namespace tyto::kernels {

enum class PairMeasure { Product, Distance };

struct PairwiseFrame {
  PairMeasure measure = PairMeasure::Product;
  RowsAs rows = {};
};

template <class C>
struct PairwiseMemory {
  LossStatus* found;  // [1]
  C *x, *lengths;     // [n, width], [n]
  C* measures;        // [n, n]
  C* slopes;          // [n, n]  d value / d measures, which the loss writes whole; 0 for d_ii
  C* gradients;       // [n, width]
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

// Fills found, x, lengths and measures, after checking features and labels. What is not finite may stand
// among the measures.
template <class T>
PairwiseMemory<Computed<T>> measure_pairs_cpu(const LabelledRows<T>&, const PairwiseFrame&, Workspace&);
template <class T>
PairwiseMemory<Computed<T>> measure_pairs(const LabelledRows<T>&, const PairwiseFrame&, Workspace&, Stream);

// From the value and the slopes to the output: the gradient of the rows, NaN and the status word for a fault.
// Overwrites the slopes.
template <class T>
void finish_pairs_cpu(const LabelledRows<T>&, const PairwiseFrame&, const PairwiseMemory<Computed<T>>&,
                      const LossOutput<T>&);
template <class T>
void finish_pairs(const LabelledRows<T>&, const PairwiseFrame&, const PairwiseMemory<Computed<T>>&,
                  const LossOutput<T>&, Stream);

// What both take from their workspace.
template <class T>
int64_t pairwise_loss_cpu_workspace(int64_t rows, int64_t width);
template <class T>
int64_t pairwise_loss_workspace(int64_t rows, int64_t width);

}  // namespace tyto::kernels
