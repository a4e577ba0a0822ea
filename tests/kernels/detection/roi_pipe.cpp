// Runs the region kernels for a Python test: a command with its numbers on a line of standard input, then raw
// arrays; raw results on standard output. Maps and features are NCHW, regions rows of four, the levels'
// scales halve one another.
//   pool LEVELS SCALE n channels height width  regions bins_high bins_wide          then maps, regions,
//   gradient align the same, then RATIO ALIGNED
//     features; of pool the argmax; the maps' gradients
//   levels LEVELS SCALE regions                                                     then regions
//     a level each, int32
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "kernels/detection/roi_align.h"
#include "kernels/detection/roi_levels_math.h"
#include "kernels/detection/roi_pool.h"

using namespace tyto::kernels;

namespace {

template <class T>
std::vector<T> read_array(int64_t count) {
  std::vector<T> values(static_cast<size_t>(count));
  std::cin.read(reinterpret_cast<char*>(values.data()),
                static_cast<std::streamsize>(values.size() * sizeof(T)));
  return values;
}

template <class T>
void write_array(const std::vector<T>& values) {
  std::cout.write(reinterpret_cast<const char*>(values.data()),
                  static_cast<std::streamsize>(values.size() * sizeof(T)));
}

RoiLevels read_levels() {
  RoiLevels levels;
  std::cin >> levels.count >> levels.scales[0];
  for (size_t k = 1; k < static_cast<size_t>(levels.count); ++k) levels.scales[k] = levels.scales[k - 1] / 2;
  return levels;
}

template <class T>
ChannelBlocks<T> nchw(T* data, int64_t n, int64_t channels, int64_t height, int64_t width) {
  return {data, n, channels, height, width, 1, channels * height * width, height * width};
}

struct Arrays {
  RoiLevels levels;
  int64_t n, channels, height, width, regions;  // regions: of an image
  int bins_high, bins_wide;
  std::vector<std::vector<float>> maps, map_gradients;
  std::vector<float> rows, gradient, features;

  void read_sizes() {
    levels = read_levels();
    std::cin >> n >> channels >> height >> width >> regions >> bins_high >> bins_wide;
  }
  void read_arrays() {
    std::cin.ignore(1);  // the newline after the command
    for (int k = 0; k < levels.count; ++k) maps.push_back(read_array<float>(size_of_map(k)));
    for (const auto& map : maps) map_gradients.emplace_back(map.size());
    rows = read_array<float>(n * regions * 4);
    gradient = read_array<float>(n * regions * channels * bins_high * bins_wide);
    features.resize(gradient.size());
  }

  int64_t size_of_map(int k) const { return n * channels * (height >> k) * (width >> k); }
  Rois rois() const { return {.rows = rows.data(), .n = n, .capacity = regions}; }
  template <class T>
  std::vector<ChannelBlocks<T>> views(auto& all) const {
    std::vector<ChannelBlocks<T>> v;
    for (auto& map : all) {
      const int k = static_cast<int>(v.size());
      v.push_back(nchw<T>(map.data(), n, channels, height >> k, width >> k));
    }
    return v;
  }
  template <class T>
  ChannelBlocks<T> of_features(T* data) const {
    return nchw<T>(data, n * regions, channels, bins_high, bins_wide);
  }
};

void run_pool() {
  Arrays a;
  a.read_sizes();
  a.read_arrays();
  const RoiPool params = {a.bins_high, a.bins_wide, a.levels};
  std::vector<int32_t> argmax(a.features.size());
  roi_pool_cpu(a.views<const float>(a.maps), a.rois(), params, a.of_features(a.features.data()),
               argmax.data());
  roi_pool_backward_cpu(a.of_features<const float>(a.gradient.data()), argmax.data(), a.rois(), params,
                        a.views<float>(a.map_gradients));
  write_array(a.features);
  write_array(argmax);
  for (const auto& map : a.map_gradients) write_array(map);
}

void run_align() {
  Arrays a;
  a.read_sizes();
  RoiAlign params = {.height = a.bins_high, .width = a.bins_wide, .levels = a.levels};
  std::cin >> params.sampling_ratio >> params.aligned;
  a.read_arrays();
  roi_align_cpu(a.views<const float>(a.maps), a.rois(), params, a.of_features(a.features.data()));
  roi_align_backward_cpu(a.of_features<const float>(a.gradient.data()), a.rois(), params,
                         a.views<float>(a.map_gradients));
  write_array(a.features);
  for (const auto& map : a.map_gradients) write_array(map);
}

void run_levels() {
  const RoiLevelBounds bounds = roi_level_bounds(read_levels());
  Rois rois = {.n = 1};
  std::cin >> rois.capacity;
  std::cin.ignore(1);
  const std::vector<float> rows = read_array<float>(rois.capacity * 4);
  rois.rows = rows.data();
  std::vector<int32_t> levels;
  for (int64_t row = 0; row < rois.capacity; ++row) levels.push_back(roi_level(rois.box(row), bounds));
  write_array(levels);
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string command; std::cin >> command;) {
    if (command == "pool") run_pool();
    if (command == "align") run_align();
    if (command == "levels") run_levels();
    std::cout.flush();
  }
}
