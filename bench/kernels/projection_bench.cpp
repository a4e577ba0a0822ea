// Maps read where points of space are seen in them, or a homography or a grid leads. The rig is nuScenes'.
#include <cmath>

#include "bench/kernels/kernel_case.h"
#include "kernels/bev/bev_rig.h"
#include "kernels/bev/homography_warp.h"
#include "kernels/bev/projection_gather.h"
#include "kernels/image/grid_sample.h"

namespace tyto::bench {
namespace {

using namespace kernels;

constexpr double kFloat = sizeof(float);
constexpr int64_t kCameras = 6;

// A rig before the network's input, whose pixels are resize times the camera's, minus the rows cut above.
struct Rig {
  double resize, rows_cut;

  bev_rig::Matrices<float> matrices() const {
    bev_rig::BevCase of = {};
    of.resize = resize;
    of.crop[1] = rows_cut;
    return of.matrices<float>();
  }

  // [cameras, 3, 4]: of the network's input, from points.
  std::vector<double> projections() const {
    std::vector<double> all;
    for (const bev_rig::Camera& c : bev_rig::kCameras) {
      const bev_rig::Matrix4 to_camera = bev_rig::inverse_pose(bev_rig::pose(c.quaternion, c.translation));
      const double f = resize * c.focal, x = resize * c.center[0], y = resize * c.center[1] - rows_cut;
      const double k[3][3] = {{f, 0, x}, {0, f, y}, {0, 0, 1}};
      for (const auto& row : k)
        for (size_t j = 0; j < 4; ++j)
          all.push_back(row[0] * to_camera[j] + row[1] * to_camera[4 + j] + row[2] * to_camera[8 + j]);
    }
    return all;
  }
};

// Moves points up a little that lie where a float's error changes what a camera sees of them: a pixel within
// 1/100 of a multiple of `step` / 2. How two programs round is not what they are compared for.
void avoid_edges(std::vector<float>& points, const std::vector<double>& projections, double step) {
  for (size_t p = 0; p < points.size(); p += 3)
    for (bool moved = true; moved;) {
      moved = false;
      for (size_t k = 0; k < projections.size() && !moved; k += 12) {
        const double* row = projections.data() + k;
        double at[3];
        for (int i = 0; i < 3; ++i)
          at[i] = row[4 * i] * points[p] + row[4 * i + 1] * points[p + 1] + row[4 * i + 2] * points[p + 2] +
                  row[4 * i + 3];
        for (int i = 0; i < 2; ++i) {
          const double halves = at[i] / at[2] / (step / 2);
          moved = moved || (at[2] > 0 && std::abs(halves) < 4000 &&
                            std::abs(halves - std::nearbyint(halves)) * step / 2 < 0.01);
        }
      }
      if (moved) points[p + 2] += 0.003f;
    }
}

Work gathered(Arrays& a, const Rig& rig, std::vector<float> points, double step, const ProjectionGather& rule,
              int64_t channels, int64_t height, int64_t width) {
  const std::vector<double> exact = rig.projections();
  avoid_edges(points, exact, step);
  const auto count = static_cast<int64_t>(points.size() / 3), pixels = kCameras * height * width;
  const bev_rig::Matrices<float> matrices = rig.matrices();
  const CameraMatrices<float> cameras = {
      a.input("intrinsics", {kCameras, 3, 3}, matrices.intrinsics),
      a.input("camera_to_grid", {kCameras, 4, 4}, matrices.camera_to_grid),
      a.input("image_augmentation", {kCameras, 3, 3}, matrices.image_augmentation), 1, kCameras};
  a.input("projections", {kCameras, 3, 4}, std::vector<float>(exact.begin(), exact.end()));  // for peers
  const GatherPoints<float> at = {a.input("points", {count, 3}, points), count};
  const CameraMaps<const float> maps = {
      a.input("maps", {kCameras, height, width, channels}, numbers(pixels * channels)),
      channels,
      1,
      kCameras,
      height,
      width,
      channels};
  const GatheredRows<float> rows = {a.output<float>("rows", {count, channels}), channels};
  Work work;
  work.bytes = kFloat * static_cast<double>(pixels * channels + count * (3 + channels));
  // A projection is 18 operations and two quotients; a bilinear value, of one camera, four products and sums.
  work.operations = static_cast<double>(count) *
                    (20.0 * kCameras +
                     (rule.sampling == GatherSampling::Bilinear ? 8.0 : 0.0) * static_cast<double>(channels));
  work.cpu = [=, workspace = a.scratch(projection_gather_cpu_workspace<float>(1, kCameras))] {
    projection_gather_cpu<float, float>(cameras, maps, at, nullptr, rule, rows, workspace);
  };
  if constexpr (kHasCuda)
    work.cuda = [=, workspace = a.scratch(projection_gather_workspace<float>(1, kCameras))](Stream s) {
      projection_gather<float, float>(cameras, maps, at, nullptr, rule, rows, workspace, s);
    };
  return work;
}

// M0: 200 x 200 x 4 points by their lower corners, z fastest (bev.md 2.8).
Work fast_bev(Arrays& a) {
  std::vector<float> points;
  for (int x = 0; x < 200; ++x)
    for (int y = 0; y < 200; ++y)
      for (int z = 0; z < 4; ++z)
        for (double v : {-50 + 0.5 * x, -50 + 0.5 * y, -4 + 1.5 * z}) points.push_back(static_cast<float>(v));
  return gathered(a, {0.44, 70}, std::move(points), 4,
                  {.sampling = GatherSampling::NearestEven,
                   .reduction = GatherReduction::Last,
                   .bounds = ImageBounds::NearestCell,
                   .cell = strided_cells(4)},
                  64, 64, 176);
}

// Four planes of 200 x 100 points (bev.md 3.2).
Work vector_map_net(Arrays& a) {
  std::vector<float> points;
  for (double z : {-1.1, 0.0, 0.5, 1.1})
    for (int y = 0; y < 100; ++y)
      for (int x = 0; x < 200; ++x)
        for (double v : {-30 + x * 60 / 199.0, -15 + y * 30 / 99.0, z})
          points.push_back(static_cast<float>(v));
  return gathered(a, {0.22, 48}, std::move(points), 32,
                  {.bounds = ImageBounds::Open,
                   .image_height = 128,
                   .image_width = 352,
                   .least_depth = 1e-9,
                   .pixel_shift = 1e-9,
                   .cell = cells_by_edges(128, 352, 32, 88)},
                  128, 32, 88);
}

constexpr int64_t kChannels = 64, kSide = 128;

double bytes_of(const Map<const float>& x, const Map<float>& y) {
  return kFloat * static_cast<double>(x.elements() + y.elements());
}

// A bird's-eye map of the past in the present's place: turned by three degrees and moved by two cells.
constexpr double kPast[9] = {0.99863, -0.05234, 0.03, 0.05234, 0.99863, -0.02, 0, 0, 1};

Work grid_sampled(Arrays& a, Interpolation interpolation) {
  std::vector<float> places;
  for (int row = 0; row < kSide; ++row)
    for (int column = 0; column < kSide; ++column) {
      const double x = column / (kSide - 1.0) * 2 - 1, y = row / (kSide - 1.0) * 2 - 1;
      for (int i = 0; i < 2; ++i)
        places.push_back(static_cast<float>(kPast[3 * i] * x + kPast[3 * i + 1] * y + kPast[3 * i + 2]));
    }
  const auto x = a.input_map("x", {1, kChannels, kSide, kSide}, numbers(kChannels * kSide * kSide));
  const float* grid = a.input("grid", {1, kSide, kSide, 2}, places);
  const auto y = a.output_map("y", {1, kChannels, kSide, kSide});
  const GridSample how = {interpolation, SamplePadding::Zeros, true};
  const double cells = interpolation == Interpolation::Bicubic ? 16 : 4;
  Work work;
  work.bytes = bytes_of(x, y) + kFloat * static_cast<double>(places.size());
  work.operations = 2 * cells * static_cast<double>(y.elements());
  work.cpu = [=] { grid_sample_cpu<float>(x.blocks, grid, how, y.blocks); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { grid_sample<float>(x.nhwc, grid, how, y.nhwc, s); };
  return work;
}

// The same, found anew from the homography, with some perspective.
Work warped(Arrays& a) {
  std::vector<float> matrix(kPast, kPast + 9);
  matrix[6] = 0.05f;
  matrix[7] = 0.1f;
  const auto x = a.input_map("x", {1, kChannels, kSide, kSide}, numbers(kChannels * kSide * kSide));
  const float* homography = a.input("homography", {1, 3, 3}, matrix);
  const auto y = a.output_map("y", {1, kChannels, kSide, kSide});
  const HomographyWarp warp = {.coordinates = WarpCoordinates::Corners};
  Work work;
  work.bytes = bytes_of(x, y);
  work.operations = 8 * static_cast<double>(y.elements()) + 20 * static_cast<double>(kSide * kSide);
  work.cpu = [=] { homography_warp_cpu<float>(x.blocks, homography, 1, warp, y.blocks); };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) { homography_warp<float>(x.nhwc, homography, 1, warp, y.nhwc, s); };
  return work;
}

}  // namespace

void add_projection_cases(Cases& cases) {
  cases.push_back({"projection_gather/fast_bev_200x200x4", fast_bev});
  cases.push_back({"projection_gather/vector_map_net_4x200x100", vector_map_net});
  cases.push_back({"grid_sample/bilinear_64x128x128",
                   [](Arrays& a) { return grid_sampled(a, Interpolation::Bilinear); }});
  cases.push_back(
      {"grid_sample/bicubic_64x128x128", [](Arrays& a) { return grid_sampled(a, Interpolation::Bicubic); }});
  cases.push_back({"homography_warp/64x128x128", warped});
}

}  // namespace tyto::bench
