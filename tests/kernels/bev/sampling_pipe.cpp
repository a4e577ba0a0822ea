// Sampled maps for a Python test: a command with its numbers on a line of standard input, then raw floats;
// raw floats on standard output.
//   sample interpolation padding align_corners n c H W h w     then x [n, c, H, W], grid [n, h, w, 2]
//     y [n, c, h, w]
//   warp coordinates interpolation padding n c H W h w         then x [n, c, H, W], homographies [n, 3, 3]
//     y [n, c, h, w]
//   gather sampling reduction bounds least_depth pixel_shift image_height image_width stride cameras c H W
//     points        then intrinsics, camera_to_grid, points, maps [cameras, H, W, c], weights [points,
//     cameras] rows [points, c]; how many cameras see each point stride 0: cells by the edges of the image
#include <bit>
#include <iostream>
#include <vector>

#include "kernels/bev/homography_warp.h"
#include "kernels/bev/projection_gather.h"
#include "kernels/image/grid_sample.h"

using namespace tyto::kernels;

namespace {

using Floats = std::vector<float>;

Floats read(int64_t count) {
  Floats values(static_cast<size_t>(count));
  std::cin.read(reinterpret_cast<char*>(values.data()), count * static_cast<std::streamsize>(sizeof(float)));
  return values;
}
void write(const Floats& values) {
  std::cout.write(reinterpret_cast<const char*>(values.data()),
                  static_cast<std::streamsize>(values.size() * sizeof(float)));
}

template <class E>
E number() {
  int value = 0;
  std::cin >> value;
  return static_cast<E>(value);
}

template <class T>
ChannelBlocks<T> planes(T* data, int64_t n, int64_t c, int64_t height, int64_t width) {
  return {data, n, c, height, width, 1, c * height * width, height * width};
}

struct Sizes {
  int64_t n = 0, c = 0, height = 0, width = 0, out_height = 0, out_width = 0;

  Sizes() {
    std::cin >> n >> c >> height >> width >> out_height >> out_width;
    std::cin.ignore(1);  // the newline after the command
  }
  int64_t outputs() const { return n * c * out_height * out_width; }
};

void run_sample() {
  GridSample how;
  how.interpolation = number<Interpolation>();
  how.padding = number<SamplePadding>();
  how.align_corners = number<bool>();
  const Sizes s;
  const Floats x = read(s.n * s.c * s.height * s.width), grid = read(2 * s.n * s.out_height * s.out_width);
  Floats y(static_cast<size_t>(s.outputs()));
  grid_sample_cpu<float>(planes(x.data(), s.n, s.c, s.height, s.width), grid.data(), how,
                         planes(y.data(), s.n, s.c, s.out_height, s.out_width));
  write(y);
}

void run_warp() {
  HomographyWarp warp;
  warp.coordinates = number<WarpCoordinates>();
  warp.interpolation = number<Interpolation>();
  warp.padding = number<SamplePadding>();
  const Sizes s;
  const Floats x = read(s.n * s.c * s.height * s.width), homographies = read(9 * s.n);
  Floats y(static_cast<size_t>(s.outputs()));
  homography_warp_cpu<float>(planes(x.data(), s.n, s.c, s.height, s.width), homographies.data(), s.n, warp,
                             planes(y.data(), s.n, s.c, s.out_height, s.out_width));
  write(y);
}

void run_gather() {
  ProjectionGather rule;
  rule.sampling = number<GatherSampling>();
  rule.reduction = number<GatherReduction>();
  rule.bounds = number<ImageBounds>();
  double stride = 0;
  int64_t cameras = 0, c = 0, height = 0, width = 0, points = 0;
  std::cin >> rule.least_depth >> rule.pixel_shift >> rule.image_height >> rule.image_width >> stride;
  std::cin >> cameras >> c >> height >> width >> points;
  std::cin.ignore(1);
  rule.cell =
      stride > 0 ? strided_cells(stride) : cells_by_edges(rule.image_height, rule.image_width, height, width);
  const Floats intrinsics = read(9 * cameras), poses = read(16 * cameras), places = read(3 * points),
               maps = read(cameras * height * width * c), weights = read(points * cameras);
  Floats rows(static_cast<size_t>(points * c)), counts;
  std::vector<uint64_t> seen(static_cast<size_t>(points));
  std::vector<char> workspace(static_cast<size_t>(projection_gather_cpu_workspace<float>(1, cameras)));
  projection_gather_cpu<float, float>({intrinsics.data(), poses.data(), nullptr, 1, cameras},
                                      {maps.data(), c, 1, cameras, height, width, c}, {places.data(), points},
                                      weights.data(), rule, {rows.data(), c, seen.data()}, workspace.data());
  for (uint64_t bits : seen) counts.push_back(static_cast<float>(std::popcount(bits)));
  write(rows);
  write(counts);
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string command; std::cin >> command;) {
    if (command == "sample") run_sample();
    if (command == "warp") run_warp();
    if (command == "gather") run_gather();
    std::cout.flush();
  }
}
