// What the CPU and CUDA compute alike of CMDC.
#pragma once

#include "kernels/losses/class_centers_math.h"
#include "kernels/losses/cmdc.h"

namespace tyto::kernels {

// One centre's side of the loss.
template <class C>
struct CmdcCenter {
  C positive_bound, negative_bound;
  C of_positive, of_negative;  // what a pair's hinge counts
  C pull;                      // center_weight / rows

  TYTO_HOST_DEVICE CmdcCenter(const CmdcLoss& p, const RowGroups& groups, int32_t count, int32_t group,
                              int64_t rows)
      : positive_bound(static_cast<C>(p.positive_bound)),
        negative_bound(static_cast<C>(p.negative_bound)),
        pull(static_cast<C>(p.center_weight / static_cast<double>(rows))) {
    const int32_t same = class_size(groups, count, group);
    const bool all = p.mining == CmdcMining::All;
    of_positive = static_cast<C>(1.0 / count / (all ? same : 1));
    of_negative = static_cast<C>(1.0 / count / (all && rows > same ? static_cast<double>(rows - same) : 1.0));
  }

  // Of a pair at distance d: its hinge, weighted, and d value / d distance / d.
  struct Pair {
    C value, weight;
  };
  [[gnu::always_inline]] TYTO_HOST_DEVICE Pair pair(C d, bool same) const {
    const C above = same ? d - positive_bound : negative_bound - d;
    const C counts = same ? of_positive : of_negative;
    const C slope = same ? counts : -counts;
    return {above > 0 ? counts * above : C{0}, above > 0 && d > 0 ? slope / d : C{0}};
  }
  // Of the centre and a row of its own, by the centre term.
  [[gnu::always_inline]] TYTO_HOST_DEVICE Pair own(C d) const { return {pull / 2 * d * d, pull}; }
};

}  // namespace tyto::kernels
