// BEV pooling on the CPU, in two passes. The first packs both maps column by column, and the softmax over
// depth with them. The second walks tiles of cells: a cell's channels are summed in registers, run after run,
// and written once. Tiles are small squares, for neighbouring cells read the same columns, and are handed out
// one by one, for those beside the car have a hundred times the points of others.
#include "kernels/bev/bev_pool.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/bev/bev_pool_cells.h"
#include "kernels/common/computed.h"
#include "kernels/common/exponential.h"
#include "kernels/common/host_elements.h"
#include "kernels/common/multiversion.h"
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

constexpr int64_t kColumns = 8;  // of a map, packed together: whole lines of pixels are read
constexpr int64_t kTileRows = 8, kTileWidth = 16;  // of a grid; a line of floats where channels come first
constexpr int64_t kLanes = 16;

template <class C>
BevPoolLevel<C> best_level() {
  BevPoolLevel<C> levels[3];
  return levels[bev_pool_levels(levels) - 1];
}

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

template <class T>
struct Lent {
  using C = Computed<T>;
  int64_t lanes;     // bins of a pixel, rounded up
  int64_t channels;  // of a pixel, rounded up
  C* weights;        // PackedMaps', of all images
  C* features;
  C* pixels;         // [threads, kColumns, height, lanes]
  C* cells;          // [threads, kTileWidth, levels * channels]
  C* cell;           // [threads, channels rounded up]
  int32_t* winners;  // [threads, channels rounded up]
  int64_t bytes;

  Lent(void* memory, const BevPool& p, int64_t images, int64_t map_channels) {
    const Frustum& f = p.frustum;
    const int64_t threads = omp_get_max_threads(), levels = p.grid.levels();
    lanes = round_up(f.bins, kLanes);
    channels = round_up(map_channels, kBevChannels);
    Workspace w(memory);
    weights = w.take<C>(images * f.points());
    features = w.take<C>(images * f.height * f.width * channels);
    pixels = w.take<C>(threads * kColumns * f.height * lanes);
    cells = w.take<C>(threads * kTileWidth * levels * channels);
    cell = w.take<C>(threads * channels);
    winners = w.take<int32_t>(threads * channels);
    bytes = w.bytes();
  }
};

// Of a pixel's bins in place; those behind the last hold -infinity. A NaN makes all NaN.
TYTO_MULTIVERSION void softmax_rows(float* v, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r, v += width) {
    float largest[kLanes], sum[kLanes] = {};
    for (int64_t l = 0; l < kLanes; ++l) largest[l] = v[l];
    for (int64_t k = kLanes; k < width; k += kLanes)
      for (int64_t l = 0; l < kLanes; ++l) largest[l] = v[k + l] > largest[l] ? v[k + l] : largest[l];
    float most = largest[0], total = 0;
    for (int64_t l = 1; l < kLanes; ++l) most = largest[l] > most ? largest[l] : most;
    for (int64_t k = 0; k < width; k += kLanes)
      for (int64_t l = 0; l < kLanes; ++l) {
        const float e = exponential(v[k + l] - most);
        v[k + l] = e;
        sum[l] += e;
      }
    for (int64_t l = 0; l < kLanes; ++l) total += sum[l];
    const float by = 1 / total;
    for (int64_t k = 0; k < width; ++k) v[k] *= by;
  }
}

void softmax_rows(double* v, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r, v += width) {
    double largest = v[0], sum = 0;
    for (int64_t k = 1; k < width; ++k) largest = v[k] > largest ? v[k] : largest;
    for (int64_t k = 0; k < width; ++k) sum += v[k] = std::exp(v[k] - largest);
    for (int64_t k = 0; k < width; ++k) v[k] /= sum;
  }
}

template <class T>
void copy_row(const T* from, int64_t first, int64_t count, Computed<T>* to) {
  if constexpr (std::is_same_v<T, Computed<T>>)
    std::memcpy(to, from + first, static_cast<size_t>(count) * sizeof(T));
  else
    for (int64_t i = 0; i < count; ++i) to[i] = host_element(from, first + i);
}

template <class T>
class Packer {
  using C = Computed<T>;

 public:
  Packer(const LiftedMaps<const T>& maps, const BevPool& p, const Lent<T>& lent)
      : maps_(maps), p_(p), f_(p.frustum), lent_(lent) {}

  int64_t groups() const { return maps_.samples * maps_.cameras * per_image(); }

  void pack(int64_t group) const {
    const int64_t image = group / per_image(), first = group % per_image() * kColumns,
                  count = std::min<int64_t>(kColumns, f_.width - first);
    pack_features(image, first, count);
    pack_depth(image, first, count);
  }

 private:
  int64_t per_image() const { return (f_.width + kColumns - 1) / kColumns; }
  int64_t pixel(int64_t image, int64_t row, int64_t column) const {
    return (image * f_.height + row) * f_.width + column;
  }

  void pack_features(int64_t image, int64_t first, int64_t count) const {
    const int64_t padded = lent_.channels;
    C* to = lent_.features + (image * f_.width + first) * f_.height * padded;
    for (int64_t row = 0; row < f_.height; ++row)
      for (int64_t c = 0; c < count; ++c) {
        C* feature = to + (c * f_.height + row) * padded;
        copy_row(maps_.features, pixel(image, row, first + c) * maps_.feature_stride, maps_.channels,
                 feature);
        std::fill(feature + maps_.channels, feature + padded, C(0));
      }
  }

  void pack_depth(int64_t image, int64_t first, int64_t count) const {
    const int64_t bins = f_.bins, height = f_.height, lanes = lent_.lanes;
    C* pixels = lent_.pixels + omp_get_thread_num() * kColumns * height * lanes;
    for (int64_t row = 0; row < height; ++row) {
      if (maps_.bins == DepthBins::Last)
        for (int64_t c = 0; c < count; ++c)
          copy_row(maps_.depth, pixel(image, row, first + c) * maps_.depth_stride, bins,
                   pixels + (c * height + row) * lanes);
      else
        take_planes(image, row, first, count, pixels + row * lanes);
      for (int64_t c = 0; p_.logits && c < count; ++c) {
        C* at = pixels + (c * height + row) * lanes;
        std::fill(at + bins, at + lanes, -std::numeric_limits<C>::infinity());
        softmax_rows(at, 1, lanes);
      }
    }
    C* weights = lent_.weights + (image * f_.width + first) * bins * height;
    for (int64_t c = 0; c < count; ++c)
      transpose(pixels + c * height * lanes, lanes, height, bins, C(1), weights + c * bins * height, height);
  }

  // Of `count` neighbouring pixels, whose bins lie a plane apart.
  void take_planes(int64_t image, int64_t row, int64_t first, int64_t count, C* to) const {
    const int64_t plane = int64_t{f_.height} * f_.width, pixel_lanes = f_.height * lent_.lanes,
                  from = image * f_.bins * plane + row * f_.width + first;
    if constexpr (std::is_same_v<T, C>)
      transpose(maps_.depth + from, plane, f_.bins, count, C(1), to, pixel_lanes);
    else
      for (int64_t bin = 0; bin < f_.bins; ++bin)
        for (int64_t c = 0; c < count; ++c)
          to[c * pixel_lanes + bin] = host_element(maps_.depth, from + bin * plane + c);
  }

  const LiftedMaps<const T>& maps_;
  const BevPool& p_;
  const Frustum& f_;
  const Lent<T>& lent_;
};

template <class T>
class Pooling {
  using C = Computed<T>;

 public:
  Pooling(const LiftedMaps<const T>& maps, const BevIndex& index, const BevPool& p,
          const ChannelBlocks<T>& out, int32_t* winners, const Lent<T>& lent)
      : maps_(maps),
        index_(index),
        p_(p),
        out_(out),
        winners_(winners),
        lent_(lent),
        level_(best_level<C>()),
        capacity_(bev_run_capacity(p.frustum, maps.cameras)),
        across_((p.grid.columns() + kTileWidth - 1) / kTileWidth),
        down_((p.grid.rows() + kTileRows - 1) / kTileRows) {}

  int64_t tiles() const { return maps_.samples * down_ * across_; }

  void pool_tile(int64_t tile) const {
    const int64_t sample = tile / across_ / down_, first_row = tile / across_ % down_ * kTileRows,
                  first = tile % across_ * kTileWidth;
    const int64_t rows = std::min<int64_t>(kTileRows, p_.grid.rows() - first_row),
                  count = std::min<int64_t>(kTileWidth, p_.grid.columns() - first);
    for (int64_t row = first_row; row < first_row + rows; ++row) {
      if (in_place())
        pool_row(sample, row, first, count, in_place_at(sample, row, first), out_.block);
      else {
        const int64_t width = p_.grid.levels() * maps_.channels;
        C* cells = lent_.cells + omp_get_thread_num() * kTileWidth * p_.grid.levels() * lent_.channels;
        pool_row(sample, row, first, count, cells, width);
        write_row(sample, row * p_.grid.columns() + first, count, cells, width);
      }
    }
  }

 private:
  // Whether a cell's channels stand together in `out` as they are computed.
  bool in_place() const {
    return std::is_same_v<T, C> && out_.block == out_.channels && maps_.channels == lent_.channels;
  }
  C* in_place_at(int64_t sample, int64_t row, int64_t column) const {
    if constexpr (std::is_same_v<T, C>)
      return out_.at(sample, 0) + (row * p_.grid.columns() + column) * out_.block;
    else
      return nullptr;
  }

  // Channels of `count` pixels, `stride` apart.
  void pool_row(int64_t sample, int64_t row, int64_t first, int64_t count, C* to, int64_t stride) const {
    const int64_t levels = p_.grid.levels(), cell = (row * p_.grid.columns() + first) * levels;
    PackedMaps<C> maps = packed(sample);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t level = 0; level < levels; ++level)
        pool_cell(maps, sample, cell + i * levels + level, to + i * stride + level * maps_.channels);
  }

  PackedMaps<C> packed(int64_t sample) const {
    const Frustum& f = p_.frustum;
    const int64_t camera = sample * maps_.cameras;
    return {lent_.weights + camera * f.points(),
            lent_.features + camera * f.width * f.height * lent_.channels,
            lent_.channels,
            f.bins,
            f.height,
            f.width,
            1.0 / f.bins,
            1.0 / f.width};
  }

  void pool_cell(const PackedMaps<C>& maps, int64_t sample, int64_t cell, C* to) const {
    const int32_t* starts = index_.cell_starts + sample * (p_.grid.size() + 1) + cell;
    const int64_t count = starts[1] - starts[0], channels = maps_.channels;
    int32_t* winners = winners_ ? winners_ + (sample * p_.grid.size() + cell) * channels : nullptr;
    if (count == 0) {
      std::fill_n(to, channels, C(0));
      if (winners) std::fill_n(winners, channels, -1);
      return;
    }
    const BevRun* runs = index_.runs + sample * capacity_ + starts[0];
    const int64_t scratch = omp_get_thread_num() * maps.channels;
    C* whole = channels == maps.channels ? to : lent_.cell + scratch;
    if (p_.reduction == BevReduction::Max) {
      level_.largest(maps, runs, count, whole, lent_.winners + scratch);
      if (winners) std::copy_n(lent_.winners + scratch, channels, winners);
    } else {
      level_.sum(maps, runs, count, p_.reduction == BevReduction::Mean ? 1 / C(points(runs, count)) : C(1),
                 whole);
    }
    if (whole != to) std::copy_n(whole, channels, to);
  }

  static int64_t points(const BevRun* runs, int64_t count) {
    int64_t all = 0;
    for (int64_t r = 0; r < count; ++r) all += runs[r].rows;
    return all;
  }

  void write_row(int64_t sample, int64_t pixel, int64_t count, const C* cells, int64_t width) const {
    if constexpr (std::is_same_v<T, C>)
      if (out_.block == 1)
        return transpose(cells, width, count, width, C(1), out_.at(sample, 0) + pixel, out_.block_stride);
    for (int64_t b = 0; b < out_.blocks(); ++b) {
      const int64_t at = sample * out_.image_stride + b * out_.block_stride + pixel * out_.block;
      for (int64_t i = 0; i < count; ++i)
        for (int64_t l = 0; l < out_.block; ++l) {
          const int64_t channel = b * out_.block + l;
          set_host_element(out_.data, at + i * out_.block + l,
                           channel < width ? cells[i * width + channel] : C(0));
        }
    }
  }

  const LiftedMaps<const T>& maps_;
  const BevIndex& index_;
  const BevPool& p_;
  const ChannelBlocks<T>& out_;
  int32_t* winners_;
  const Lent<T>& lent_;
  BevPoolLevel<C> level_;
  int64_t capacity_, across_, down_;
};

}  // namespace

template <class T>
int64_t bev_pool_cpu_workspace(const BevPool& p, int64_t samples, int64_t cameras, int64_t channels) {
  return Lent<T>(nullptr, p, samples * cameras, channels).bytes;
}

template <class T>
void bev_pool_cpu(const LiftedMaps<const T>& maps, const BevIndex& index, const BevPool& p,
                  const ChannelBlocks<T>& out, int32_t* winners, void* workspace) {
  const Lent<T> lent(workspace, p, maps.samples * maps.cameras, maps.channels);
  const Packer<T> packer(maps, p, lent);
#pragma omp parallel for schedule(dynamic)
  for (int64_t group = 0; group < packer.groups(); ++group) packer.pack(group);
  const Pooling<T> pooling(maps, index, p, out, winners, lent);
#pragma omp parallel for schedule(dynamic)
  for (int64_t tile = 0; tile < pooling.tiles(); ++tile) pooling.pool_tile(tile);
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
