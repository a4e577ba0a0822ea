// Products of every row with every row, distances between them, and their weighted sums: what the losses over
// pairs spend their time on. From kernels/common/blocked_product. For C = double and float. Of the family's
// own use.
#pragma once

#include <cstdint>

#include "kernels/common/stream.h"

namespace tyto::kernels {

// Two sets of rows; b == a (and b_rows == a_rows): the pairs of one set, of which each is computed once and
// written twice.
template <class C>
struct RowPairs {
  const C* a = nullptr;  // [a_rows, width]
  const C* b = nullptr;  // [b_rows, width]
  int64_t a_rows = 0, b_rows = 0, width = 0;
  // On CUDA, where only the device knows how many of a_rows there are: that number. The others (of one set,
  // of b too) are not read, and nothing of theirs is written.
  const int32_t* a_used = nullptr;

  bool one_set() const { return a == b && a_rows == b_rows; }
};

// products  [a_rows, b_rows]  the dot product of each pair
template <class C>
void row_products_cpu(const RowPairs<C>&, C* products, void* workspace);
template <class C>
void row_products(const RowPairs<C>&, C* products, void* workspace, Stream);

// distances  [a_rows, b_rows]  ||a_i - b_j||, as good as summed from the differences themselves: equal rows
// are at 0, close ones keep their digits.
template <class C>
void row_distances_cpu(const RowPairs<C>&, C* distances, void* workspace);
template <class C>
void row_distances(const RowPairs<C>&, C* distances, void* workspace, Stream);

// sums  [a_rows, width] = weights b, or [b_rows, width] = weights^T a; added to what is there if `add`.
// weights [a_rows, b_rows]
enum class SumOver { B, A };
template <class C>
void weighted_rows_cpu(const RowPairs<C>&, const C* weights, SumOver, bool add, C* sums, void* workspace);
template <class C>
void weighted_rows(const RowPairs<C>&, const C* weights, SumOver, bool add, C* sums, void* workspace, Stream);

// What any of the above needs for pairs of this size, in bytes.
template <class C>
int64_t row_pairs_cpu_workspace(int64_t a_rows, int64_t b_rows, int64_t width);
template <class C>
int64_t row_pairs_workspace(int64_t a_rows, int64_t b_rows, int64_t width);

// The gradient of a value that depends on distances, as weights of rows: with slopes h_ij = d value / d
// distance,
//   d value / d a_i = sum_j h_ij / distance_ij (a_i - b_j) = a_i sum_j w_ij - sum_j w_ij b_j,
// w_ij = h_ij / distance_ij, 0 where the distance is 0. For one set, in place,
//   slopes  [n, n]  become W with d value / d a = W a: w_ij = -(h_ij + h_ji) / distance_ij, w_ii = -sum of
//   the row.
template <class C>
void distance_weights_cpu(const C* distances, int64_t n, C* slopes);
// used: null, or where the device has the number of rows and columns that are used.
template <class C>
void distance_weights(const C* distances, int64_t n, C* slopes, Stream, const int32_t* used = nullptr);

// The same for values that depend on products: w_ij = h_ij + h_ji.
template <class C>
void product_weights_cpu(int64_t n, C* slopes);
template <class C>
void product_weights(int64_t n, C* slopes, Stream);

}  // namespace tyto::kernels
