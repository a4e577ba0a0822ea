// The gradient of BEV pooling on the CPU. A pixel's features and their gradient stay in registers while the
// rows of the gradient that its points fall on pass by. Pixels are taken in tiles of a few rows and of as
// many columns as a line of the caches holds cells, so that neither lines of cells nor rows of the gradient
// are fetched for one pixel alone.
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "kernels/bev/bev_pool.h"
#include "kernels/bev/bev_pool_backward_rows.h"
#include "kernels/common/computed.h"
#include "kernels/common/exponential.h"
#include "kernels/common/host_elements.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/transpose_cpu.h"
#include "kernels/common/workspace.h"

namespace tyto::kernels {

namespace baseline {
extern const BevPoolBackwardLevel<float> kBevPoolBackwardFloat;
extern const BevPoolBackwardLevel<double> kBevPoolBackwardDouble;
}  // namespace baseline
namespace avx2 {
extern const BevPoolBackwardLevel<float> kBevPoolBackwardFloat;
extern const BevPoolBackwardLevel<double> kBevPoolBackwardDouble;
}  // namespace avx2
namespace avx512 {
extern const BevPoolBackwardLevel<float> kBevPoolBackwardFloat;
extern const BevPoolBackwardLevel<double> kBevPoolBackwardDouble;
}  // namespace avx512

namespace {

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma"); }

}  // namespace

template <>
int bev_pool_backward_levels(BevPoolBackwardLevel<float> (&levels)[3]) {
  int count = 0;
  levels[count++] = baseline::kBevPoolBackwardFloat;
  if (has_avx2()) levels[count++] = avx2::kBevPoolBackwardFloat;
  if (has_avx512()) levels[count++] = avx512::kBevPoolBackwardFloat;
  return count;
}
template <>
int bev_pool_backward_levels(BevPoolBackwardLevel<double> (&levels)[3]) {
  int count = 0;
  levels[count++] = baseline::kBevPoolBackwardDouble;
  if (has_avx2()) levels[count++] = avx2::kBevPoolBackwardDouble;
  if (has_avx512()) levels[count++] = avx512::kBevPoolBackwardDouble;
  return count;
}

namespace {

constexpr int64_t kTileRows = 4, kTileColumns = 16, kTilePixels = kTileRows * kTileColumns;
constexpr int64_t kPositions = 16;  // of a row of the grid that are copied together

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

template <class C>
BevPoolBackwardLevel<C> best_level() {
  BevPoolBackwardLevel<C> levels[3];
  return levels[bev_pool_backward_levels(levels) - 1];
}

// Of a pixel's bins in place. A NaN makes all NaN.
TYTO_MULTIVERSION void softmax(float* v, int64_t bins) {
  float largest = v[0], sum = 0;
#pragma omp simd reduction(max : largest)
  for (int64_t k = 0; k < bins; ++k) largest = v[k] > largest ? v[k] : largest;
#pragma omp simd reduction(+ : sum)
  for (int64_t k = 0; k < bins; ++k) {
    v[k] = exponential(v[k] - largest);
    sum += v[k];
  }
  const float by = 1 / sum;
  for (int64_t k = 0; k < bins; ++k) v[k] *= by;
}

void softmax(double* v, int64_t bins) {
  const double largest = *std::max_element(v, v + bins);
  double sum = 0;
  for (int64_t k = 0; k < bins; ++k) sum += v[k] = std::exp(v[k] - largest);
  for (int64_t k = 0; k < bins; ++k) v[k] /= sum;
}

// Those whose points lie in the grid; returns how many. kept has room for one more than there are bins.
int64_t kept_bins(const int32_t* __restrict cells, int64_t bins, int32_t* __restrict kept) {
  int64_t count = 0;
  for (int64_t bin = 0; bin < bins; ++bin) {
    kept[count] = static_cast<int32_t>(bin);  // is written over until it counts
    count += cells[bin] >= 0;
  }
  return count;
}

template <class C>
void find_rows(const int32_t* __restrict cells, const C* __restrict depth, const int32_t* __restrict kept,
               int64_t count, const C* first, int64_t stride, const C** __restrict rows,
               C* __restrict weights) {
  for (int64_t k = 0; k < count; ++k) {
    rows[k] = first + cells[kept[k]] * stride;
    weights[k] = depth[kept[k]];
  }
}

// Weights become their gradient, or that of the logits that they are the softmax of.
template <class C>
void finish_depth(bool logits, const int32_t* __restrict kept, int64_t count, C* __restrict slopes,
                  int64_t bins, C* __restrict depth) {
  C mean = 0;
  if (logits) {
    for (int64_t k = 0; k < count; ++k) slopes[k] *= depth[kept[k]];
#pragma omp simd reduction(+ : mean)
    for (int64_t k = 0; k < count; ++k) mean += slopes[k];
    for (int64_t bin = 0; bin < bins; ++bin) depth[bin] *= -mean;
  } else {
    std::fill_n(depth, bins, C(0));
  }
  for (int64_t k = 0; k < count; ++k) depth[kept[k]] += slopes[k];
}

// What a thread works in.
template <class C>
struct Scratch {
  int32_t* cells;        // [kTilePixels, bins]
  C* depth;              // [kTilePixels, bins]: weights, then their gradient or that of the logits
  C *features, *spread;  // [channels rounded up]: of a pixel, and their gradient
  C* nothing;            // [channels rounded up]: a row of 0
  int32_t* bins;         // [bins + 1 rounded up]: those whose points lie in the grid
  const C** rows;        // [bins + 1 rounded up]: their rows of the gradient
  C *weights, *slopes;   // [bins + 1 rounded up]

  Scratch(Workspace& workspace, const BevPool& pool, int64_t channels) {
    const int64_t most = round_up(pool.frustum.bins + 1, kPointsAtOnce),
                  padded = round_up(channels, kRowUnit);
    cells = workspace.take<int32_t>(kTilePixels * pool.frustum.bins);
    depth = workspace.take<C>(kTilePixels * pool.frustum.bins);
    features = workspace.take<C>(padded);
    spread = workspace.take<C>(padded);
    nothing = workspace.take<C>(padded);
    bins = workspace.take<int32_t>(most);
    rows = workspace.take<const C*>(most);
    weights = workspace.take<C>(most);
    slopes = workspace.take<C>(most);
  }
};

template <class C>
struct Lent {
  C* rows;    // [samples, cells, channels rounded up]
  C* shares;  // [samples, cells], of Mean
  char* threads;
  int64_t thread_bytes, bytes;

  Lent(void* memory, const BevPool& pool, int64_t samples, int64_t channels) {
    Workspace one, all(memory);
    const Scratch<C> measured(one, pool, channels);
    thread_bytes = one.bytes();
    rows = all.take<C>(samples * pool.grid.size() * round_up(channels, kRowUnit));
    shares = all.take<C>(pool.reduction == BevReduction::Mean ? samples * pool.grid.size() : 0);
    threads = all.take<char>(thread_bytes * omp_get_max_threads());
    bytes = all.bytes();
  }
};

// The gradient as pixels read it: a cell's row in one piece, in what is computed.
template <class T>
class GradientRows {
  using C = Computed<T>;

 public:
  GradientRows(const ChannelBlocks<const T>& gradient, const BevIndex& index, const BevPool& pool,
               int64_t cameras, int64_t channels, const Lent<C>& lent)
      : gradient_(gradient),
        index_(index),
        grid_(pool.grid),
        capacity_(bev_run_capacity(pool.frustum, cameras)),
        channels_(channels),
        stride_(round_up(channels, kRowUnit)),
        sample_stride_(grid_.size() * stride_),
        rows_(lent.rows),
        shares_(pool.reduction == BevReduction::Mean ? lent.shares : nullptr) {
    if constexpr (std::is_same_v<T, C>)
      if (gradient.block == gradient.channels && channels == stride_) {
        rows_ = nullptr;
        in_place_ = gradient.data;
        sample_stride_ = gradient.image_stride;
      }
  }

  const C* row(int64_t sample, int64_t cell) const {
    return (in_place_ ? in_place_ : rows_) + sample * sample_stride_ + cell * stride_;
  }
  int64_t stride() const { return stride_; }  // from cell to cell
  // What a point of the cell has of its gradient, of a mean.
  C share(int64_t sample, int64_t cell) const { return shares_[sample * grid_.size() + cell]; }

  // Of a row of the grid; cells without points are looked at by nobody.
  void prepare(int64_t sample, int64_t row) const {
    const int64_t levels = grid_.levels(), columns = grid_.columns(), cells = grid_.size();
    const int32_t* const starts = index_.cell_starts + sample * (cells + 1);
    if (shares_)
      for (int64_t cell = row * columns * levels; cell < (row + 1) * columns * levels; ++cell) {
        int64_t points = 0;
        for (int32_t r = starts[cell]; r < starts[cell + 1]; ++r)
          points += index_.runs[sample * capacity_ + r].rows;
        shares_[sample * cells + cell] = C(1) / static_cast<C>(points);
      }
    if (in_place_) return;
    for (int64_t first = 0; first < columns; first += kPositions)
      for (int64_t level = 0; level < levels; ++level) {
        int64_t used[kPositions], count = 0;
        for (int64_t column = first; column < std::min(columns, first + kPositions); ++column) {
          const int64_t position = row * columns + column, cell = position * levels + level;
          if (starts[cell] < starts[cell + 1]) used[count++] = position;
        }
        copy(sample, level, used, count);
      }
  }

 private:
  void copy(int64_t sample, int64_t level, const int64_t* positions, int64_t count) const {
    C* const rows = rows_ + sample * sample_stride_ + level * stride_;
    const int64_t apart = grid_.levels() * stride_, block = gradient_.block;
    for (int64_t c = 0; c < channels_; ++c) {
      const int64_t channel = level * channels_ + c;
      const T* const from =
          host_address(gradient_.data, sample * gradient_.image_stride +
                                           channel / block * gradient_.block_stride + channel % block);
      for (int64_t i = 0; i < count; ++i)
        rows[positions[i] * apart + c] = host_element(from, positions[i] * block);
    }
    for (int64_t i = 0; i < count; ++i) {
      C* const row = rows + positions[i] * apart;
      std::fill(row + channels_, row + stride_, C(0));
    }
  }

  const ChannelBlocks<const T>& gradient_;
  const BevIndex& index_;
  const BevGrid& grid_;
  int64_t capacity_, channels_, stride_, sample_stride_;
  C* rows_;
  C* shares_;
  const C* in_place_ = nullptr;
};

template <class T>
class Spreading {
  using C = Computed<T>;

 public:
  Spreading(const LiftedMaps<const T>& maps, const BevIndex& index, const BevPool& pool,
            const GradientRows<T>& rows, const int32_t* winners, const LiftedMaps<T>& gradients,
            const Lent<C>& lent)
      : maps_(maps),
        index_(index),
        pool_(pool),
        frustum_(pool.frustum),
        rows_(rows),
        winners_(winners),
        gradients_(gradients),
        lent_(lent),
        level_(best_level<C>()),
        padded_(round_up(maps.channels, kRowUnit)),
        area_(int64_t{frustum_.height} * frustum_.width),
        across_((frustum_.width + kTileColumns - 1) / kTileColumns),
        down_((frustum_.height + kTileRows - 1) / kTileRows) {}

  int64_t tiles() const { return maps_.samples * maps_.cameras * down_ * across_; }

  void spread_tile(int64_t tile) const {
    const int64_t image = tile / across_ / down_, top = tile / across_ % down_ * kTileRows,
                  left = tile % across_ * kTileColumns;
    const int64_t rows = std::min(kTileRows, frustum_.height - top),
                  columns = std::min(kTileColumns, frustum_.width - left);
    Workspace workspace(lent_.threads + omp_get_thread_num() * lent_.thread_bytes);
    const Scratch<C> scratch(workspace, pool_, maps_.channels);
    std::fill_n(scratch.nothing, padded_, C(0));
    std::fill_n(scratch.features, padded_, C(0));
    const auto row_of = [&](auto* of, int64_t row) { return of + row * kTileColumns * frustum_.bins; };
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t pixel = (top + row) * frustum_.width + left;
      transpose(index_.cells + image * frustum_.bins * area_ + pixel, area_, frustum_.bins, columns,
                row_of(scratch.cells, row), frustum_.bins);
      read_depth(image, pixel, columns, row_of(scratch.depth, row));
    }
    // Column by column: pixels below each other share cells.
    for (int64_t column = 0; column < columns; ++column)
      for (int64_t row = 0; row < rows; ++row)
        spread_pixel(image, (top + row) * frustum_.width + left + column, scratch,
                     (row * kTileColumns + column) * frustum_.bins);
    if (gradients_.depth)
      for (int64_t row = 0; row < rows; ++row)
        write_depth(image, (top + row) * frustum_.width + left, columns, row_of(scratch.depth, row));
  }

 private:
  // Of `count` neighbouring pixels: [count, bins].
  void read_depth(int64_t image, int64_t pixel, int64_t count, C* to) const {
    const int64_t bins = frustum_.bins;
    const bool first = maps_.bins == DepthBins::First;
    const T* const from = host_address(
        maps_.depth, first ? image * bins * area_ + pixel : (image * area_ + pixel) * maps_.depth_stride);
    if constexpr (std::is_same_v<T, C>)
      if (first) return transpose(from, area_, bins, count, C(1), to, bins);
    const int64_t by_pixel = first ? 1 : maps_.depth_stride, by_bin = first ? area_ : 1;
    for (int64_t i = 0; i < count; ++i)
      for (int64_t bin = 0; bin < bins; ++bin)
        to[i * bins + bin] = host_element(from, i * by_pixel + bin * by_bin);
  }
  void write_depth(int64_t image, int64_t pixel, int64_t count, const C* from) const {
    const int64_t bins = frustum_.bins, stride = gradients_.depth_stride;
    const bool first = maps_.bins == DepthBins::First;
    T* const to = host_address(gradients_.depth,
                               first ? image * bins * area_ + pixel : (image * area_ + pixel) * stride);
    if constexpr (std::is_same_v<T, C>)
      if (first) return transpose(from, bins, count, bins, C(1), to, area_);
    const int64_t by_pixel = first ? 1 : stride, by_bin = first ? area_ : 1;
    for (int64_t i = 0; i < count; ++i)
      for (int64_t bin = 0; bin < bins; ++bin)
        set_host_element(to, i * by_pixel + bin * by_bin, from[i * bins + bin]);
  }

  void spread_pixel(int64_t image, int64_t pixel, const Scratch<C>& scratch, int64_t at) const {
    const int64_t sample = image / maps_.cameras, channels = maps_.channels;
    const int32_t* const cells = scratch.cells + at;
    C* const depth = scratch.depth + at;
    if (pool_.logits) softmax(depth, frustum_.bins);
    const int64_t count = kept_bins(cells, frustum_.bins, scratch.bins);
    find_rows(cells, depth, scratch.bins, count, rows_.row(sample, 0), rows_.stride(), scratch.rows,
              scratch.weights);
    if (pool_.reduction == BevReduction::Mean)
      for (int64_t k = 0; k < count; ++k) scratch.weights[k] *= rows_.share(sample, cells[scratch.bins[k]]);
    for (int64_t c = 0; c < channels; ++c)
      scratch.features[c] = host_element(maps_.features, (image * area_ + pixel) * maps_.feature_stride + c);
    if (pool_.reduction == BevReduction::Max)
      spread_to_winners(image, pixel, scratch, cells, count);
    else
      spread_to_all(sample, scratch, cells, count);
    if (gradients_.features)
      for (int64_t c = 0; c < channels; ++c)
        set_host_element(gradients_.features, (image * area_ + pixel) * gradients_.feature_stride + c,
                         scratch.spread[c]);
    finish_depth(pool_.logits, scratch.bins, count, scratch.slopes, frustum_.bins, depth);
  }

  void spread_to_all(int64_t sample, const Scratch<C>& scratch, const int32_t* cells, int64_t count) const {
    int64_t padded = count;
    for (; padded % kPointsAtOnce != 0; ++padded) {
      scratch.rows[padded] = scratch.nothing;
      scratch.weights[padded] = 0;
    }
    level_.spread({padded, scratch.rows, scratch.weights}, scratch.features, padded_, scratch.spread,
                  scratch.slopes);
    if (pool_.reduction == BevReduction::Mean)
      for (int64_t k = 0; k < count; ++k) scratch.slopes[k] *= rows_.share(sample, cells[scratch.bins[k]]);
  }

  // Of a cell's row that part which the point won.
  void spread_to_winners(int64_t image, int64_t pixel, const Scratch<C>& scratch, const int32_t* cells,
                         int64_t count) const {
    const int64_t sample = image / maps_.cameras, camera = image % maps_.cameras, channels = maps_.channels;
    C* const spread = scratch.spread;
    std::fill_n(spread, channels, C(0));
    for (int64_t k = 0; k < count; ++k) {
      const int64_t bin = scratch.bins[k];
      const auto point = static_cast<int32_t>((camera * frustum_.bins + bin) * area_ + pixel);
      const int32_t* const won = winners_ + (sample * pool_.grid.size() + cells[bin]) * channels;
      const C* const row = scratch.rows[k];
      const C weight = scratch.weights[k];
      C slope = 0;
#pragma omp simd reduction(+ : slope)
      for (int64_t c = 0; c < channels; ++c) {
        const C of_point = won[c] == point ? row[c] : C(0);
        slope += scratch.features[c] * of_point;
        spread[c] += weight * of_point;
      }
      scratch.slopes[k] = slope;
    }
  }

  const LiftedMaps<const T>& maps_;
  const BevIndex& index_;
  const BevPool& pool_;
  const Frustum& frustum_;
  const GradientRows<T>& rows_;
  const int32_t* winners_;
  const LiftedMaps<T>& gradients_;
  const Lent<C>& lent_;
  BevPoolBackwardLevel<C> level_;
  int64_t padded_, area_, across_, down_;
};

}  // namespace

template <class T>
int64_t bev_pool_backward_cpu_workspace(const BevPool& pool, int64_t samples, int64_t, int64_t channels) {
  return Lent<Computed<T>>(nullptr, pool, samples, channels).bytes;
}

template <class T>
void bev_pool_backward_cpu(const LiftedMaps<const T>& maps, const BevIndex& index, const BevPool& pool,
                           const ChannelBlocks<const T>& gradient, const int32_t* winners,
                           const LiftedMaps<T>& gradients, void* workspace) {
  const Lent<Computed<T>> lent(workspace, pool, maps.samples, maps.channels);
  const GradientRows<T> rows(gradient, index, pool, maps.cameras, maps.channels, lent);
  const int64_t grid_rows = pool.grid.rows();
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < maps.samples * grid_rows; ++i) rows.prepare(i / grid_rows, i % grid_rows);
  const Spreading<T> spreading(maps, index, pool, rows, winners, gradients, lent);
#pragma omp parallel for schedule(dynamic)
  for (int64_t tile = 0; tile < spreading.tiles(); ++tile) spreading.spread_tile(tile);
}

#define TYTO_INSTANTIATE(T)                                                                           \
  template void bev_pool_backward_cpu<T>(const LiftedMaps<const T>&, const BevIndex&, const BevPool&, \
                                         const ChannelBlocks<const T>&, const int32_t*,               \
                                         const LiftedMaps<T>&, void*);                                \
  template int64_t bev_pool_backward_cpu_workspace<T>(const BevPool&, int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
