// The arithmetic of mine_negatives.h, the same bits on CPU and CUDA (no multiply-add is fused).
#pragma once

#include <bit>
#include <cmath>

#include "kernels/losses/mine_negatives.h"
#include "kernels/losses/real_functions.h"

namespace tyto::kernels {

// A loss as an unsigned number of the same order, the greatest first to be taken.
template <class C>
using MiningKey = std::conditional_t<std::is_same_v<C, double>, uint64_t, uint32_t>;

// Of a loss of at least 0. NaN has the greatest key; no loss has key 0.
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline MiningKey<C> mining_key(C loss) {
  const MiningKey<C> bits = std::bit_cast<MiningKey<C>>(loss > 0 ? loss : C{0}) + 1;
  return loss != loss ? ~MiningKey<C>{0} : bits;
}

template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline MiningKey<C> positive_key(Mining rule) {
  return rule == Mining::Torchvision ? 0 : 1;  // before all losses, or that of loss 0
}

// logsumexp - logit[0], from the row's largest logit and sum of e^(logit - largest).
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline C background_loss(C largest, C sum, C background) {
  return log_of(sum) + (largest - background);
}

// What an image adds to the rows that are taken.
TYTO_HOST_DEVICE inline double image_share(const MineNegatives& p, int64_t positives, int64_t rows) {
  const double wanted = p.negatives_per_positive * static_cast<double>(positives);
  if (p.rule == Mining::Torchvision) return wanted;
  const double most = static_cast<double>(p.rule == Mining::SsdPytorch ? rows - 1 : rows - positives);
  return wanted < most ? wanted : most;
}

// How many of `rows` rows, an image's or all, are taken where the shares of their images sum to this.
TYTO_HOST_DEVICE inline int64_t rows_to_take(const MineNegatives& p, double shares, int64_t rows) {
  if (!(shares > 0)) return p.negatives_for_hard < rows ? p.negatives_for_hard : rows;
  if (!(shares < static_cast<double>(rows))) return rows;
  return static_cast<int64_t>(p.rule == Mining::Bubbliiiing ? std::floor(shares) : std::ceil(shares));
}

}  // namespace tyto::kernels
