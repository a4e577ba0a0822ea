// An anchor loss (anchor_loss.h) on the CPU: threads take rows, and nothing that is summed depends on how
// many there are.
#pragma once

#include <algorithm>

#include "kernels/losses/anchor_loss.h"

namespace tyto::kernels {

inline constexpr int64_t kPairsOfASum = 64;  // whose sums are then summed, to lose fewer digits

template <class Rule, class C>
HardestPairs<C> hardest_pairs(const Rule& rule, const C* row, const int32_t* labels, int64_t i, int64_t n) {
  HardestPairs<C> hardest;
  for (int64_t j = 0; j < n; ++j)
    if (rule.present(j))
      hardest.add(row[j], pair_kind<Rule>(i, j, labels[i], labels[j]), static_cast<int32_t>(j));
  return hardest;
}

template <class Rule, class C>
AnchorOf<Rule, C> anchor_of(const Rule& rule, const C* row, const int32_t* labels, int64_t i, int64_t n) {
  AnchorOf<Rule, C> anchor;
  anchor.own = row[i];
  if constexpr (Rule::kHardest) anchor.hardest = hardest_pairs(rule, row, labels, i, n);
  if constexpr (!std::is_empty_v<typename Rule::Sums>) {
    for (int64_t first = 0; first < n; first += kPairsOfASum) {
      typename Rule::Sums some;
      for (int64_t j = first; j < std::min(first + kPairsOfASum, n); ++j) {
        const PairKind kind = pair_kind<Rule>(i, j, labels[i], labels[j]);
        if (kind != PairKind::Self && rule.present(j)) rule.add(anchor, row[j], kind, some);
      }
      anchor.sums.join(some);
    }
  }
  return anchor;
}

// The loss's own step between measure_pairs_cpu and finish_pairs_cpu.
template <class Rule, class C>
void anchor_step_cpu(const Rule& rule, const PairwiseMemory<C>& pairs, const AnchorMemory<Rule, C>& memory,
                     const int32_t* labels, int64_t n, bool gradient, C* value) {
#pragma omp parallel for schedule(dynamic, 8)
  for (int64_t i = 0; i < n; ++i)
    if (rule.present(i)) memory.anchors[i] = anchor_of(rule, pairs.measures + i * n, labels, i, n);
  typename Rule::Totals totals;
  for (int64_t i = 0; i < n; ++i)
    if (rule.present(i)) totals.join(rule.totals_of(memory.anchors[i]));
  *value = static_cast<C>(rule.value(totals));
  if (!gradient) return;
#pragma omp parallel for schedule(dynamic, 8)
  for (int64_t i = 0; i < n; ++i) {
    C* slopes = pairs.slopes + i * n;
    std::fill_n(slopes, n, C{0});
    if (!rule.present(i)) continue;
    const auto factors = rule.factors(memory.anchors[i], totals);
    for (int64_t j = 0; j < n; ++j)
      if (rule.present(j))
        slopes[j] = rule.slope(factors, pairs.measures[i * n + j],
                               pair_kind<Rule>(i, j, labels[i], labels[j]), static_cast<int32_t>(j));
  }
}

template <class Rule, class T>
int64_t anchor_loss_cpu_workspace(int64_t rows, int64_t width) {
  Workspace measured;
  AnchorMemory<Rule, Computed<T>>(measured, rows);
  return measured.bytes() + pairwise_loss_cpu_workspace<T>(rows, width);
}

template <class Rule, class T>
void anchor_loss_cpu(const LabelledRows<T>& in, const PairwiseFrame& frame, const Rule& rule,
                     const LossOutput<T>& out, void* workspace) {
  Workspace lent(workspace);
  const AnchorMemory<Rule, Computed<T>> memory(lent, in.rows);
  const auto pairs = measure_pairs_cpu(in, frame, lent);
  anchor_step_cpu(rule, pairs, memory, in.labels, in.rows, out.gradient != nullptr, out.value);
  finish_pairs_cpu(in, frame, pairs, out);
}

}  // namespace tyto::kernels
