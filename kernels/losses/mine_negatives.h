// Hard negative mining: which background rows of a batch of logits train beside the positives.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// Rows are ranked by the loss of calling them background, logsumexp - logit[0], the greatest first, ties by
// the lowest index. How many of the first ranks are taken, and where positives stand among them; p is an
// image's number of positives, n is negatives_per_positive:
enum class Mining {
  SsdPytorch,   // of each image min(n p, rows - 1), rounded up; positives have loss 0 and may be taken
  Torchvision,  // of each image n p, rounded up; positives stand behind all others and may be taken
  // Of the whole batch the sum of min(n p, rows - p), rounded down; positives have loss 0 and may be taken.
  // (bubbliiiing ranks by the sum of the other classes' probabilities, which is the same order.)
  Bubbliiiing,
};

struct MineNegatives {
  Mining rule = Mining::SsdPytorch;
  double negatives_per_positive = 3;
  int64_t negatives_for_hard = 0;  // taken where that is none; the fork of ssd.pytorch, bubbliiiing: 100
};

template <class T>
struct RowsToMine {
  const T* logits = nullptr;        // [batch, rows, classes]; class 0 is background
  const int32_t* labels = nullptr;  // [batch, rows]; 0 is background, above 0 a positive
  int64_t batch = 0, rows = 0, classes = 0;
};

inline constexpr uint8_t kPositiveRow = 1, kMinedRow = 2;

// selected   [batch, rows]  kPositiveRow where the label is above 0, | kMinedRow where the row is taken
// positives  [batch]        their number
// Faults, joined to *status, which may be null, say that the selection is nothing to go by. Rows are image *
// rows + row. NotFinite in Logits: such a row ranks first; Label in Labels: not within 0..classes - 1; it
// ranks as a positive.
struct SelectedRows {
  uint8_t* selected = nullptr;
  int32_t* positives = nullptr;
  LossStatus* status = nullptr;
};

// The same selection of both for float and halves. workspace: mine_negatives_cpu_workspace() or
// mine_negatives_workspace() bytes; on CUDA batch * rows < 2^31.
template <class T>
void mine_negatives_cpu(const RowsToMine<T>&, const MineNegatives&, const SelectedRows&, void* workspace);
template <class T>
int64_t mine_negatives_cpu_workspace(int64_t batch, int64_t rows);

template <class T>
void mine_negatives(const RowsToMine<T>&, const MineNegatives&, const SelectedRows&, void* workspace, Stream);
template <class T>
int64_t mine_negatives_workspace(int64_t batch, int64_t rows);

}  // namespace tyto::kernels
