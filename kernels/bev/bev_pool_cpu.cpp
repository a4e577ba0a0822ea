// BEV pooling on the CPU. A first pass turns both maps, so that a column of pixels is one piece of memory,
// and takes the softmax on the way. The second walks tiles of cells, small squares, and a tile column of
// pixels after column: the column's features are read once for all its bins that fall into the tile, and lie
// in L1 with the tile's sums. Tiles are handed out one by one, for those beside the car have a hundred times
// the points of others.
#include "kernels/bev/bev_pool.h"

#include <emmintrin.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/bev/bev_pool_cells.h"
#include "kernels/common/computed.h"
#include "kernels/common/host_elements.h"
#include "kernels/common/transpose_cpu.h"
#include "kernels/common/workspace.h"

namespace tyto::kernels {

namespace baseline {
extern const BevPoolLevel<float> kBevPoolFloat;
extern const BevPoolLevel<double> kBevPoolDouble;
}  // namespace baseline
namespace avx2 {
extern const BevPoolLevel<float> kBevPoolFloat;
extern const BevPoolLevel<double> kBevPoolDouble;
}  // namespace avx2
namespace avx512 {
extern const BevPoolLevel<float> kBevPoolFloat;
extern const BevPoolLevel<double> kBevPoolDouble;
}  // namespace avx512

template <>
int bev_pool_levels(BevPoolLevel<float> (&levels)[3]) {
  int count = 0;
  levels[count++] = baseline::kBevPoolFloat;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) levels[count++] = avx2::kBevPoolFloat;
  if (__builtin_cpu_supports("avx512f")) levels[count++] = avx512::kBevPoolFloat;
  return count;
}
template <>
int bev_pool_levels(BevPoolLevel<double> (&levels)[3]) {
  int count = 0;
  levels[count++] = baseline::kBevPoolDouble;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) levels[count++] = avx2::kBevPoolDouble;
  if (__builtin_cpu_supports("avx512f")) levels[count++] = avx512::kBevPoolDouble;
  return count;
}

namespace {

constexpr int64_t kTileRows = 16, kTileWidth = 32;  // of a grid
constexpr int64_t kRunsAtOnce = 2048;               // of a tile, sorted by column
constexpr int64_t kLanes = 16;
constexpr int64_t kLine = 16;   // elements that a cache line has at most
constexpr int64_t kPixels = 8;  // of a map's row, turned together

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

template <class C>
BevPoolLevel<C> best_level() {
  BevPoolLevel<C> levels[3];
  return levels[bev_pool_levels(levels) - 1];
}

// A result of so many bytes would push all else out of the caches and be gone from them before it is read.
constexpr int64_t kLeastStreamed = 16 << 20, kStreamed = 16;

// Past the caches, to an aligned address.
void stream(const void* from, void* to, int64_t bytes) {
  const int64_t whole = bytes / kStreamed * kStreamed;
  const char* source = static_cast<const char*>(from);
  char* target = static_cast<char*>(to);
  for (int64_t i = 0; i < whole; i += kStreamed)
    _mm_stream_si128(reinterpret_cast<__m128i*>(target + i),
                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + i)));
  std::memcpy(target + whole, source + whole, static_cast<size_t>(bytes - whole));
}

template <class C>
struct Scratch {              // of a thread
  C* cells;                   // [tile's cells, channels]
  C* line;                    // [kTileWidth, levels * channels]
  int32_t* winners;           // [tile's cells, channels]
  int32_t* starts;            // [cameras * width + 1]
  int32_t* orders;            // [kRunsAtOnce]
  BevTileRun *runs, *sorted;  // [kRunsAtOnce]
};

template <class T>
struct Lent {
  using C = Computed<T>;
  int64_t lanes;     // bins of a pixel, rounded up
  int64_t channels;  // of a cell, rounded up
  C* weights;        // [images, width, height, lanes]
  C* features;       // [images, width, height, channels]
  Workspace rest;
  int64_t keys, cells, line;
  bool winners;
  int64_t bytes;

  Lent(void* memory, const BevPool& p, int64_t samples, int64_t cameras, int64_t map_channels)
      : rest(memory) {
    const Frustum& f = p.frustum;
    const int64_t pixels = samples * cameras * f.height * f.width;
    lanes = round_up(f.bins, kLanes);
    channels = round_up(map_channels, kBevChannels);
    weights = rest.take<C>(pixels * lanes);
    features = rest.take<C>(pixels * channels);
    keys = cameras * f.width;
    cells = kTileRows * kTileWidth * p.grid.levels();
    line = kTileWidth * p.grid.levels() * map_channels;
    winners = p.reduction == BevReduction::Max;
    Workspace all = rest;
    for (int thread = 0; thread < omp_get_max_threads(); ++thread) take(all);
    bytes = all.bytes();
  }

  Scratch<C> of(int thread) const {
    Workspace w = rest;
    for (; thread > 0; --thread) take(w);
    return take(w);
  }

 private:
  Scratch<C> take(Workspace& w) const {
    Scratch<C> s;
    s.cells = w.take<C>(cells * channels);
    s.line = w.take<C>(line);
    s.winners = w.take<int32_t>(winners ? cells * channels : 0);
    s.starts = w.take<int32_t>(keys + 1);
    s.orders = w.take<int32_t>(winners ? kRunsAtOnce : 0);
    s.runs = w.take<BevTileRun>(kRunsAtOnce);
    s.sorted = w.take<BevTileRun>(kRunsAtOnce);
    return s;
  }
};

void softmax(double* v, int64_t width) {
  double largest = v[0], sum = 0;
  for (int64_t k = 1; k < width; ++k) largest = v[k] > largest ? v[k] : largest;
  for (int64_t k = 0; k < width; ++k) sum += v[k] = std::exp(v[k] - largest);
  for (int64_t k = 0; k < width; ++k) v[k] /= sum;
}

template <class T>
void copy_row(const T* from, int64_t first, int64_t count, Computed<T>* to) {
  if constexpr (std::is_same_v<T, Computed<T>>)
    std::memcpy(to, from + first, static_cast<size_t>(count) * sizeof(T));
  else
    for (int64_t i = 0; i < count; ++i) to[i] = host_element(from, first + i);
}

// Turns kPixels neighbours of a row.
template <class T>
class Packing {
  using C = Computed<T>;

 public:
  Packing(const LiftedMaps<const T>& maps, const BevPool& p, const Lent<T>& lent)
      : maps_(maps), f_(p.frustum), logits_(p.logits), lent_(lent), level_(best_level<C>()) {}

  int64_t count() const { return maps_.samples * maps_.cameras * f_.height * groups(); }

  void pack(int64_t work) const {
    const int64_t row = work / groups() % f_.height, image = work / groups() / f_.height,
                  first = work % groups() * kPixels, count = std::min<int64_t>(kPixels, f_.width - first);
    const int64_t from = (image * f_.height + row) * f_.width + first,
                  to = (image * f_.width + first) * f_.height + row;
    C *weights = lent_.weights + to * lent_.lanes, *features = lent_.features + to * lent_.channels;
    for (int64_t i = 0; i < count; ++i) {
      C* feature = features + i * f_.height * lent_.channels;
      copy_row(maps_.features, (from + i) * maps_.feature_stride, maps_.channels, feature);
      std::fill(feature + maps_.channels, feature + lent_.channels, C(0));
    }
    const int64_t stride = f_.height * lent_.lanes;
    if (maps_.bins == DepthBins::Last)
      for (int64_t i = 0; i < count; ++i)
        copy_row(maps_.depth, (from + i) * maps_.depth_stride, f_.bins, weights + i * stride);
    else
      copy_planes(image, row * f_.width + first, count, weights, stride);
    if (!logits_) return;
    for (int64_t i = 0; i < count; ++i) {
      C* weight = weights + i * stride;
      std::fill(weight + f_.bins, weight + lent_.lanes, -std::numeric_limits<C>::infinity());
      if constexpr (std::is_same_v<C, double>)
        softmax(weight, lent_.lanes);
      else
        level_.softmax(weight, lent_.lanes);
    }
  }

 private:
  int64_t groups() const { return (f_.width + kPixels - 1) / kPixels; }

  // Of `count` neighbouring pixels, whose bins lie a plane apart.
  void copy_planes(int64_t image, int64_t pixel, int64_t count, C* to, int64_t stride) const {
    const int64_t plane = int64_t{f_.height} * f_.width, from = image * f_.bins * plane + pixel;
    if constexpr (std::is_same_v<T, C>)
      transpose(maps_.depth + from, plane, f_.bins, count, C(1), to, stride);
    else
      for (int64_t bin = 0; bin < f_.bins; ++bin)
        for (int64_t i = 0; i < count; ++i)
          to[i * stride + bin] = host_element(maps_.depth, from + bin * plane + i);
  }

  const LiftedMaps<const T>& maps_;
  const Frustum& f_;
  bool logits_;
  const Lent<T>& lent_;
  BevPoolLevel<C> level_;
};

template <class T>
class Tiles {
  using C = Computed<T>;

 public:
  Tiles(const LiftedMaps<const T>& in, const BevIndex& index, const BevPool& p, const ChannelBlocks<T>& out,
        int32_t* winners, const Lent<T>& lent)
      : in_(in),
        index_(index),
        p_(p),
        f_(p.frustum),
        out_(out),
        winners_(winners),
        lent_(lent),
        level_(best_level<C>()),
        levels_(p.grid.levels()),
        streams_(in.samples * out.image_stride * int64_t{sizeof(Computed<T>)} >= kLeastStreamed),
        capacity_(bev_run_capacity(p.frustum, in.cameras)),
        across_((p.grid.columns() + kTileWidth - 1) / kTileWidth),
        down_((p.grid.rows() + kTileRows - 1) / kTileRows) {}

  int64_t count() const { return in_.samples * down_ * across_; }

  void pool(int64_t tile, const Scratch<C>& s) const {
    const Place at = place(tile);
    const int64_t values = kTileRows * kTileWidth * levels_ * lent_.channels;
    std::fill_n(s.cells, values, C(0));
    if (lent_.winners) std::fill_n(s.winners, values, -1);
    int64_t held = 0;
    for (int64_t row = 0; row < at.rows; ++row)
      for (int64_t i = 0; i < at.columns * levels_; ++i) {
        const int32_t* starts = index_.cell_starts + at.sample * (p_.grid.size() + 1) + at.cell(row) + i;
        for (int32_t r = starts[0]; r < starts[1]; ++r) {
          if (held == kRunsAtOnce) held = add_runs(at.sample, held, s);
          s.runs[held++] = tile_run(index_.runs[at.sample * capacity_ + r], row * kTileWidth * levels_ + i);
        }
      }
    add_runs(at.sample, held, s);
    if (p_.reduction == BevReduction::Mean) divide(at, s.cells);
    write(at, s);
    if (winners_) write_winners(at, s.winners);
  }

 private:
  struct Place {
    int64_t sample, first_row, first_column, rows, columns, grid_columns, levels;
    // The first of a row's cells.
    int64_t cell(int64_t row) const { return ((first_row + row) * grid_columns + first_column) * levels; }
  };
  Place place(int64_t tile) const {
    const int64_t row = tile / across_ % down_ * kTileRows, column = tile % across_ * kTileWidth;
    return {tile / across_ / down_,
            row,
            column,
            std::min<int64_t>(kTileRows, p_.grid.rows() - row),
            std::min<int64_t>(kTileWidth, p_.grid.columns() - column),
            p_.grid.columns(),
            levels_};
  }

  // Quotients by a product: n / d is at least 1 / 2d away from the next integer for n + 1/2.
  BevTileRun tile_run(const BevRun& run, int64_t cell) const {
    const auto bin = static_cast<int32_t>((run.column + 0.5) * per_column_);
    const auto camera = static_cast<int32_t>((bin + 0.5) * per_bin_);
    return {run.column - (bin - camera) * f_.width, bin, static_cast<int32_t>(cell), run.first_row, run.rows};
  }

  // Adds them to their cells, column after column. Returns how many are left: none.
  int64_t add_runs(int64_t sample, int64_t count, const Scratch<C>& s) const {
    int32_t* starts = s.starts;
    std::fill_n(starts, lent_.keys + 1, 0);
    for (int64_t r = 0; r < count; ++r) ++starts[s.runs[r].column + 1];
    for (int64_t key = 0; key < lent_.keys; ++key) starts[key + 1] += starts[key];
    for (int64_t r = 0; r < count; ++r) s.sorted[starts[s.runs[r].column]++] = s.runs[r];
    int64_t end = fetch_column(sample, s.sorted, count);
    for (int64_t first = 0; first < count;) {
      const int64_t next = end + fetch_column(sample, s.sorted + end, count - end);
      add_column(sample, s.sorted + first, end - first, s);
      first = end;
      end = next;
    }
    return 0;
  }

  // Asks for what the first runs, which share a column, will read. Returns how many they are.
  int64_t fetch_column(int64_t sample, const BevTileRun* runs, int64_t count) const {
    if (count == 0) return 0;
    int32_t first = runs[0].bin, last = first;
    int64_t shared = 0;
    for (; shared < count && runs[shared].column == runs[0].column; ++shared) {
      first = std::min(first, runs[shared].bin);
      last = std::max(last, runs[shared].bin);
    }
    const int64_t camera = runs[0].column / f_.width,
                  panel = (sample * lent_.keys + runs[0].column) * f_.height;
    const C* weights = lent_.weights + panel * lent_.lanes - camera * f_.bins;
    const C* features = lent_.features + panel * lent_.channels;
    for (int64_t row = 0; row < f_.height; ++row) {
      for (int64_t bin = first; bin < last + kLine; bin += kLine)
        __builtin_prefetch(weights + row * lent_.lanes + std::min<int64_t>(bin, last));
      for (int64_t c = 0; c < lent_.channels; c += kLine)
        __builtin_prefetch(features + row * lent_.channels + c);
    }
    return shared;
  }

  void add_column(int64_t sample, const BevTileRun* runs, int64_t count, const Scratch<C>& s) const {
    const int32_t camera = runs[0].column / f_.width, column = runs[0].column % f_.width;
    const int64_t panel = (sample * lent_.keys + runs[0].column) * f_.height;
    const BevTileColumn<C> of = {lent_.weights + panel * lent_.lanes,
                                 lent_.features + panel * lent_.channels,
                                 lent_.lanes,
                                 lent_.channels,
                                 camera * f_.bins,
                                 runs,
                                 count};
    if (p_.reduction != BevReduction::Max) return level_.sum(of, s.cells);
    for (int64_t r = 0; r < count; ++r)
      s.orders[r] = (runs[r].bin * f_.width + column) * f_.height + runs[r].first_row;
    level_.largest(of, s.orders, s.cells, s.winners);
  }

  void divide(const Place& at, C* cells) const {
    for (int64_t row = 0; row < at.rows; ++row)
      for (int64_t i = 0; i < at.columns * levels_; ++i) {
        const int64_t first = at.sample * (p_.grid.size() + 1) + at.cell(row) + i;
        int64_t points = 0;
        for (int32_t r = index_.cell_starts[first]; r < index_.cell_starts[first + 1]; ++r)
          points += index_.runs[at.sample * capacity_ + r].rows;
        C* cell = cells + (row * kTileWidth * levels_ + i) * lent_.channels;
        for (int64_t c = 0; points > 0 && c < in_.channels; ++c) cell[c] /= static_cast<C>(points);
      }
  }

  void write(const Place& at, const Scratch<C>& s) const {
    const int64_t width = levels_ * in_.channels;  // of a pixel
    for (int64_t row = 0; row < at.rows; ++row) {
      const C* line = s.cells + row * kTileWidth * levels_ * lent_.channels;
      if (in_.channels != lent_.channels) {
        for (int64_t i = 0; i < at.columns * levels_; ++i)
          std::copy_n(line + i * lent_.channels, in_.channels, s.line + i * in_.channels);
        line = s.line;
      }
      write_line(at.sample, at.cell(row) / levels_, at.columns, line, width);
    }
  }

  void copy_line(const T* line, T* to, int64_t count) const {
    if (streams_ && reinterpret_cast<uintptr_t>(to) % kStreamed == 0)
      stream(line, to, count * static_cast<int64_t>(sizeof(T)));
    else
      std::copy_n(line, count, to);
  }

  // `count` neighbouring pixels of so many channels.
  void write_line(int64_t sample, int64_t pixel, int64_t count, const C* line, int64_t width) const {
    if constexpr (std::is_same_v<T, C>) {
      T* to = out_.at(sample, 0);
      if (out_.block == width) return copy_line(line, to + pixel * width, count * width);
      if (out_.block == 1) return transpose(line, width, count, width, C(1), to + pixel, out_.block_stride);
    }
    for (int64_t b = 0; b < out_.blocks(); ++b) {
      const int64_t at = sample * out_.image_stride + b * out_.block_stride + pixel * out_.block,
                    first = b * out_.block, real = std::min(out_.block, width - first);
      for (int64_t i = 0; i < count; ++i) {
        for (int64_t l = 0; l < real; ++l)
          set_host_element(out_.data, at + i * out_.block + l, line[i * width + first + l]);
        for (int64_t l = real; l < out_.block; ++l)
          set_host_element(out_.data, at + i * out_.block + l, C(0));
      }
    }
  }

  void write_winners(const Place& at, const int32_t* orders) const {
    for (int64_t row = 0; row < at.rows; ++row)
      for (int64_t i = 0; i < at.columns * levels_; ++i) {
        const int32_t* won = orders + (row * kTileWidth * levels_ + i) * lent_.channels;
        int32_t* to = winners_ + (at.sample * p_.grid.size() + at.cell(row) + i) * in_.channels;
        for (int64_t c = 0; c < in_.channels; ++c) to[c] = won[c] < 0 ? -1 : point(won[c]);
      }
  }
  // (camera, bin, column, row) as (camera, bin, row, column).
  int32_t point(int32_t order) const {
    const int32_t row = order % f_.height, column = order / f_.height % f_.width,
                  bin = order / f_.height / f_.width;
    return (bin * f_.height + row) * f_.width + column;
  }

  const LiftedMaps<const T>& in_;
  const BevIndex& index_;
  const BevPool& p_;
  const Frustum& f_;
  const ChannelBlocks<T>& out_;
  int32_t* winners_;
  const Lent<T>& lent_;
  BevPoolLevel<C> level_;
  int64_t levels_;
  bool streams_;
  int64_t capacity_, across_, down_;
  double per_bin_ = 1.0 / f_.bins, per_column_ = 1.0 / f_.width;
};

}  // namespace

template <class T>
int64_t bev_pool_cpu_workspace(const BevPool& p, int64_t samples, int64_t cameras, int64_t channels) {
  return Lent<T>(nullptr, p, samples, cameras, channels).bytes;
}

template <class T>
void bev_pool_cpu(const LiftedMaps<const T>& in, const BevIndex& index, const BevPool& p,
                  const ChannelBlocks<T>& out, int32_t* winners, void* workspace) {
  const Lent<T> lent(workspace, p, in.samples, in.cameras, in.channels);
  const Packing<T> packing(in, p, lent);
  const Tiles<T> tiles(in, index, p, out, winners, lent);
#pragma omp parallel
  {
    const Scratch<Computed<T>> scratch = lent.of(omp_get_thread_num());
#pragma omp for schedule(static)
    for (int64_t work = 0; work < packing.count(); ++work) packing.pack(work);
#pragma omp for schedule(dynamic)
    for (int64_t tile = 0; tile < tiles.count(); ++tile) tiles.pool(tile, scratch);
    _mm_sfence();  // what was streamed
  }
}

#define TYTO_INSTANTIATE(T)                                                                  \
  template void bev_pool_cpu<T>(const LiftedMaps<const T>&, const BevIndex&, const BevPool&, \
                                const ChannelBlocks<T>&, int32_t*, void*);                   \
  template int64_t bev_pool_cpu_workspace<T>(const BevPool&, int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
