// The rows of a batch in groups of one class, or of one class and modality, and a centre for each group. Of
// the family's own use.
#pragma once

#include "kernels/common/workspace.h"
#include "kernels/losses/feature_rows.h"

namespace tyto::kernels {

// Groups stand in the order of labels, visible before thermal; the members of one in the order of rows. How
// many there are is known where they lie: on CUDA, the host sizes for as many as rows.
struct RowGroups {
  int32_t* count;     // [1]
  int32_t* labels;    // [rows]      of each group
  int32_t* begins;    // [rows + 1]  group g has members begins[g] to begins[g + 1]
  int32_t* members;   // [rows]
  int32_t* group_of;  // [rows]      the group of each row
  uint64_t* sorted;   // [rows]      scratch

  RowGroups(Workspace& workspace, int64_t rows)
      : count(workspace.take<int32_t>(1)),
        labels(workspace.take<int32_t>(rows)),
        begins(workspace.take<int32_t>(rows + 1)),
        members(workspace.take<int32_t>(rows)),
        group_of(workspace.take<int32_t>(rows)),
        sorted(workspace.take<uint64_t>(rows)) {}
};

// modalities  [rows]  0 or 1; null: groups are classes. What is out of range goes to some group.
void group_rows_cpu(const int32_t* labels, const int32_t* modalities, int64_t rows, const RowGroups&);
void group_rows(const int32_t* labels, const int32_t* modalities, int64_t rows, const RowGroups&, Stream);

// centers  [groups, width]  the mean of each group's rows
template <class C>
void mean_rows_cpu(const C* x, const RowGroups&, int64_t width, C* centers);
template <class C>
void mean_rows(const C* x, const RowGroups&, int64_t rows, int64_t width, C* centers, Stream);

// The way back through the means.
// gradients  [rows, width] = the group's center_gradients / the group's size
template <class C>
void spread_mean_gradients_cpu(const C* center_gradients, const RowGroups&, int64_t rows, int64_t width,
                               C* gradients);
template <class C>
void spread_mean_gradients(const C* center_gradients, const RowGroups&, int64_t rows, int64_t width,
                           C* gradients, Stream);

// centers  [groups, width]  from those that a caller keeps, learned [classes, width]. One that is not finite
// joins
//                           *found with its class.
template <class T>
void gather_centers_cpu(const T* learned, int64_t classes, const RowGroups&, int64_t width,
                        Computed<T>* centers, LossStatus* found);
template <class T>
void gather_centers(const T* learned, int64_t classes, const RowGroups&, int64_t rows, int64_t width,
                    Computed<T>* centers, LossStatus* found, Stream);

// to  [classes, width]  scale * the class's center_gradients, 0 for those without; NaN if *found is a fault
template <class T>
void scatter_center_gradients_cpu(const Computed<T>* center_gradients, const RowGroups&, int64_t classes,
                                  int64_t width, double scale, const LossStatus* found, T* to);
template <class T>
void scatter_center_gradients(const Computed<T>* center_gradients, const RowGroups&, int64_t classes,
                              int64_t width, double scale, const LossStatus* found, T* to, Stream);

// value = the sum of values [groups], or of [rows] where there are no groups.
template <class C>
void sum_values(const C* values, const RowGroups* groups, int64_t rows, C* value, Stream);

}  // namespace tyto::kernels
