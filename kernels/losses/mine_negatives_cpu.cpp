#include <algorithm>
#include <functional>
#include <limits>

#include "kernels/common/host_elements.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/transpose_cpu.h"
#include "kernels/common/workspace.h"
#include "kernels/losses/mine_negatives_math.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kLanes = 16;     // rows that are worked on side by side
constexpr int64_t kClasses = 128;  // of them in a tile, which stays in the first cache

template <class C>
struct Memory {
  using Key = MiningKey<C>;
  Key *keys, *spare;  // [batch, rows]

  Memory(Workspace& workspace, int64_t total)
      : keys(workspace.take<Key>(total)), spare(workspace.take<Key>(total)) {}
};

// Up to kLanes rows of logits, of which a tile of classes is turned so that a class's rows stand together;
// lanes behind the last row repeat it.
template <class T>
struct Tile {
  using C = Computed<T>;
  const T* logits;
  int64_t rows, classes;
  alignas(64) C lanes[kClasses][kLanes];

  [[gnu::always_inline]] inline int64_t turn(int64_t first) {
    const int64_t count = std::min(kClasses, classes - first);
    if constexpr (std::is_same_v<T, float>)
      if (rows == kLanes) {
        transpose(logits + first, classes, kLanes, count, 1.0f, lanes[0], kLanes);
        return count;
      }
    for (int64_t l = 0; l < kLanes; ++l) {
      const int64_t row = std::min(l, rows - 1) * classes + first;
      for (int64_t c = 0; c < count; ++c) lanes[c][l] = host_element(logits, row + c);
    }
    return count;
  }
};

// keys [rows] of background rows. Returns the first row that is not finite, or -1.
template <class T>
[[gnu::always_inline]] inline int64_t keys_of_rows(Tile<T>& t, MiningKey<Computed<T>>* keys) {
  using C = Computed<T>;
  C largest[kLanes], least[kLanes], background[kLanes], sum[kLanes] = {};
  int64_t count = t.turn(0);
  for (int64_t l = 0; l < kLanes; ++l) largest[l] = least[l] = background[l] = t.lanes[0][l];
  for (int64_t first = 0;;) {
    for (int64_t c = 0; c < count; ++c) {
      const C* lanes = t.lanes[c];
      for (int64_t l = 0; l < kLanes; ++l) largest[l] = lanes[l] > largest[l] ? lanes[l] : largest[l];
      for (int64_t l = 0; l < kLanes; ++l) least[l] = lanes[l] < least[l] ? lanes[l] : least[l];
    }
    if ((first += kClasses) >= t.classes) break;
    count = t.turn(first);
  }
  for (int64_t first = 0; first < t.classes; first += kClasses) {
    if (t.classes > kClasses) count = t.turn(first);
    for (int64_t c = 0; c < count; ++c)
      for (int64_t l = 0; l < kLanes; ++l) sum[l] += exp_of(t.lanes[c][l] - largest[l]);
  }
  MiningKey<C> key[kLanes];
  int bad[kLanes];
  for (int64_t l = 0; l < kLanes; ++l) {
    const bool finite = (sum[l] == sum[l]) & (least[l] >= std::numeric_limits<C>::lowest());
    const C loss = background_loss(largest[l], sum[l], background[l]);
    key[l] = mining_key(finite ? loss : std::numeric_limits<C>::quiet_NaN());
    bad[l] = !finite;
  }
  std::copy_n(key, t.rows, keys);
  for (int64_t l = 0; l < t.rows; ++l)
    if (bad[l]) return l;
  return -1;
}

#define TYTO_OF(T)                                                                   \
  TYTO_MULTIVERSION int64_t make_keys(Tile<T>& tile, MiningKey<Computed<T>>* keys) { \
    return keys_of_rows(tile, keys);                                                 \
  }
TYTO_OF(double)
TYTO_OF(float)
TYTO_OF(Half)
TYTO_OF(BFloat16)
#undef TYTO_OF

// Marks the first `take` of the rows in the order of their keys.
template <class Key>
void take_rows(const Key* keys, Key* spare, int64_t rows, int64_t take, uint8_t* selected) {
  if (take <= 0) return;
  std::copy_n(keys, rows, spare);
  std::nth_element(spare, spare + (take - 1), spare + rows, std::greater<Key>());
  const Key last = spare[take - 1];
  int64_t equal = take - std::count_if(keys, keys + rows, [last](Key key) { return key > last; });
  for (int64_t i = 0; i < rows; ++i)
    if (keys[i] > last || (keys[i] == last && equal-- > 0)) selected[i] |= kMinedRow;
}

}  // namespace

template <class T>
void mine_negatives_cpu(const RowsToMine<T>& in, const MineNegatives& p, const SelectedRows& out,
                        void* memory) {
  using C = Computed<T>;
  const int64_t total = in.batch * in.rows;
  Workspace workspace(memory);
  const Memory<C> m(workspace, total);
  LossStatus found = 0;
  const int64_t groups = (total + kLanes - 1) / kLanes;
#pragma omp parallel for schedule(static) reduction(max : found)
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t first = group * kLanes;
    Tile<T> tile;
    tile.logits = host_address(in.logits, first * in.classes);
    tile.rows = std::min(kLanes, total - first);
    tile.classes = in.classes;
    if (const int64_t bad = make_keys(tile, m.keys + first); bad >= 0)
      found = std::max(found, loss_status(LossFault::NotFinite, LossInput::Logits, first + bad));
    for (int64_t i = first; i < first + tile.rows; ++i) {
      const int32_t label = in.labels[i];
      out.selected[i] = label > 0 ? kPositiveRow : 0;
      if (label != 0) m.keys[i] = positive_key<C>(p.rule);
      if (label < 0 || label >= in.classes)
        found = std::max(found, loss_status(LossFault::Label, LossInput::Labels, i));
    }
  }
  const bool whole_batch = p.rule == Mining::Bubbliiiing;
#pragma omp parallel for schedule(static)
  for (int64_t image = 0; image < in.batch; ++image) {
    const int64_t first = image * in.rows;
    out.positives[image] =
        static_cast<int32_t>(std::count(out.selected + first, out.selected + first + in.rows, kPositiveRow));
    if (whole_batch) continue;
    const double share = image_share(p, out.positives[image], in.rows);
    take_rows(m.keys + first, m.spare + first, in.rows, rows_to_take(p, share, in.rows),
              out.selected + first);
  }
  if (whole_batch) {
    double shares = 0;
    for (int64_t image = 0; image < in.batch; ++image)
      shares += image_share(p, out.positives[image], in.rows);
    take_rows(m.keys, m.spare, total, rows_to_take(p, shares, total), out.selected);
  }
  if (out.status != nullptr) *out.status = std::max(*out.status, found);
}

template <class T>
int64_t mine_negatives_cpu_workspace(int64_t batch, int64_t rows) {
  Workspace workspace;
  Memory<Computed<T>>(workspace, batch * rows);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(T)                                                                                 \
  template void mine_negatives_cpu(const RowsToMine<T>&, const MineNegatives&, const SelectedRows&, void*); \
  template int64_t mine_negatives_cpu_workspace<T>(int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
