#include "apps/bev/ipm.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "files/named.h"
#include "kernels/bev/camera_math.h"
#include "kernels/bev/projection_gather.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

constexpr Named<Blend> kBlends[] = {
    {"weighted", Blend::Weighted}, {"mean", Blend::Mean}, {"first", Blend::First}, {"last", Blend::Last}};
constexpr int kChannels = 3;
constexpr int64_t kChunk = 1 << 16;     // cells at once, so that weights stay small beside the pictures
constexpr double kLeastFeather = 1e-6;  // at the very edge: a camera that alone sees a cell still counts

[[noreturn]] void refuse_grid(const std::string& text, const std::string& what) {
  throw Error(ErrorKind::Usage, fmt::format("--grid {}: {}; it is x0,x1,y0,y1,step in metres, e.g. "
                                            "-25,25,-25,25,0.1",
                                            text, what));
}

std::vector<double> numbers_in(const std::string& text) {
  std::vector<double> numbers;
  for (const char *at = text.data(), *end = at + text.size();; ++at) {
    double value = 0;
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error != std::errc() || !std::isfinite(value) || (stop != end && *stop != ','))
      refuse_grid(text, "not five numbers");
    numbers.push_back(value);
    if (stop == end) return numbers;
    at = stop;
  }
}

// How one camera sees a plane that is parallel to the ground: (u w, v w, w) = columns * (x, y, 1).
struct View {
  double columns[9];
  double pixels_per_area;  // times 1 / w^3: pixels of the image that a square metre has there
  double right, bottom;    // the last pixel's centre
  double feather;          // pixels

  View(const Camera& camera, const Image& image, double height) {
    const auto p = kernels::projection_of<double, double>(
        camera.intrinsics.data(), camera.camera_to_ego.data(), camera.augmentation.data());
    for (int row = 0; row < 3; ++row) {
      columns[3 * row] = p.linear[3 * row];
      columns[3 * row + 1] = p.linear[3 * row + 1];
      columns[3 * row + 2] = p.linear[3 * row + 2] * height + p.offset[row];
    }
    const double(&m)[9] = columns;
    pixels_per_area = std::abs(m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) +
                               m[2] * (m[3] * m[7] - m[4] * m[6]));
    right = image.width - 1;
    bottom = image.height - 1;
    feather = kFeather * std::min(image.width, image.height);
  }

  // Of the cell's colour there; 0 where the camera does not see it.
  double weight(double x, double y) const {
    const double w = columns[6] * x + columns[7] * y + columns[8];
    if (!(w > 0)) return 0;
    const double u = (columns[0] * x + columns[1] * y + columns[2]) / w,
                 v = (columns[3] * x + columns[4] * y + columns[5]) / w;
    const double inside = std::min({u, right - u, v, bottom - v});
    if (!(inside >= 0)) return 0;
    const double weight = pixels_per_area / (w * w * w) * std::clamp(inside / feather, kLeastFeather, 1.0);
    return std::isfinite(weight) ? weight : 0;
  }
};

// Rewrites what the cameras' weights are for a cell so that their sum is 1; returns whether one is not 0.
bool blend_weights(std::span<float> weights, Blend blend) {
  const auto sees = [](float w) { return w > 0; };
  if (blend == Blend::First || blend == Blend::Last) {
    const auto first = std::ranges::find_if(weights, sees);
    if (first == weights.end()) return false;
    const auto last = std::find_if(weights.rbegin(), weights.rend(), sees).base() - 1;
    const auto chosen = blend == Blend::First ? first : last;
    std::ranges::fill(weights, 0.0F);
    *chosen = 1;
    return true;
  }
  if (blend == Blend::Mean)
    for (float& w : weights) w = sees(w) ? 1.0F : 0.0F;
  float sum = 0;
  for (const float w : weights) sum += w;
  if (!(sum > 0)) return false;
  for (float& w : weights) w /= sum;
  return true;
}

// As the kernel reads them: in one array, each in the upper left of a map as large as the largest.
struct Pictures {
  int height = 0, width = 0;
  std::vector<float> maps;  // [images, height, width, 3]

  explicit Pictures(std::span<const Image> images) {
    for (const Image& image : images) {
      height = std::max(height, image.height);
      width = std::max(width, image.width);
    }
    const size_t row_floats = static_cast<size_t>(width) * kChannels;
    maps.resize(images.size() * static_cast<size_t>(height) * row_floats);
    float* map = maps.data();
    for (const Image& image : images) {
      const size_t row_bytes = static_cast<size_t>(image.width) * kChannels;
      for (size_t row = 0; row < static_cast<size_t>(image.height); ++row)
        std::copy_n(image.rgb.data() + row * row_bytes, row_bytes, map + row * row_floats);
      map += static_cast<size_t>(height) * row_floats;
    }
  }
};

struct Matrices {
  std::vector<double> intrinsics, camera_to_grid, augmentation;

  explicit Matrices(const Rig& rig) {
    for (const Camera& c : rig.cameras) {
      intrinsics.insert(intrinsics.end(), c.intrinsics.begin(), c.intrinsics.end());
      camera_to_grid.insert(camera_to_grid.end(), c.camera_to_ego.begin(), c.camera_to_ego.end());
      augmentation.insert(augmentation.end(), c.augmentation.begin(), c.augmentation.end());
    }
  }
};

Mosaic mosaic_at(const Matrices& matrices, const Pictures& pictures, std::span<const View> views,
                 const GroundGrid& grid, Blend blend, double height) {
  const auto cameras = static_cast<int64_t>(views.size());
  const int64_t cells = int64_t{grid.rows} * grid.columns;
  Mosaic mosaic{grid.rows, grid.columns, std::vector<uint8_t>(static_cast<size_t>(4 * cells)), 0};
  const size_t chunk = static_cast<size_t>(std::min(cells, kChunk));
  std::vector<float> points(3 * chunk), weights(views.size() * chunk), colours(kChannels * chunk);
  std::vector<std::byte> workspace(
      static_cast<size_t>(kernels::projection_gather_cpu_workspace<float>(1, cameras)));
  kernels::ProjectionGather gather;
  gather.reduction = kernels::GatherReduction::Weights;
  gather.bounds = kernels::ImageBounds::Anywhere;  // a camera that does not see a cell has the weight 0
  for (int64_t first = 0; first < cells; first += kChunk) {
    const auto count = static_cast<size_t>(std::min(kChunk, cells - first));
    std::vector<uint8_t> seen(count);
    for (size_t i = 0; i < count; ++i) {
      const int64_t cell = first + static_cast<int64_t>(i);
      const double x = grid.upper[0] - (static_cast<double>(cell / grid.columns) + 0.5) * grid.step,
                   y = grid.upper[1] - (static_cast<double>(cell % grid.columns) + 0.5) * grid.step;
      points[3 * i] = static_cast<float>(x);
      points[3 * i + 1] = static_cast<float>(y);
      points[3 * i + 2] = static_cast<float>(height);
      const std::span<float> of_cell(weights.data() + i * views.size(), views.size());
      for (size_t k = 0; k < views.size(); ++k) of_cell[k] = static_cast<float>(views[k].weight(x, y));
      seen[i] = blend_weights(of_cell, blend);
    }
    kernels::projection_gather_cpu<float, double>(
        {.intrinsics = matrices.intrinsics.data(),
         .camera_to_grid = matrices.camera_to_grid.data(),
         .image_augmentation = matrices.augmentation.data(),
         .samples = 1,
         .cameras = cameras},
        {.data = pictures.maps.data(),
         .pixel_stride = kChannels,
         .samples = 1,
         .cameras = cameras,
         .height = pictures.height,
         .width = pictures.width,
         .channels = kChannels},
        {.data = points.data(), .count = static_cast<int64_t>(count)}, weights.data(), gather,
        {.data = colours.data(), .row_stride = kChannels}, workspace.data());
    for (size_t i = 0; i < count; ++i) {
      if (!seen[i]) continue;
      uint8_t* pixel = mosaic.rgba.data() + 4 * (static_cast<size_t>(first) + i);
      for (size_t c = 0; c < kChannels; ++c)
        pixel[c] = static_cast<uint8_t>(std::lround(std::clamp(colours[kChannels * i + c], 0.0F, 255.0F)));
      pixel[3] = 255;
      ++mosaic.seen;
    }
  }
  return mosaic;
}

}  // namespace

GroundGrid ground_grid(const std::string& text) {
  const std::vector<double> n = numbers_in(text);
  if (n.size() != 5) refuse_grid(text, "not five numbers");
  GroundGrid grid{{n[0], n[2]}, {n[1], n[3]}, n[4]};
  if (!(grid.step > 0)) refuse_grid(text, "the step is not positive");
  int* const counts[] = {&grid.rows, &grid.columns};
  for (size_t axis = 0; axis < 2; ++axis) {
    const double cells = (grid.upper[axis] - grid.lower[axis]) / grid.step;
    if (!(cells > 0)) refuse_grid(text, "a range is empty");
    if (cells > static_cast<double>(kMaxGroundCells)) refuse_grid(text, "too many cells");
    const double whole = std::round(cells);
    if (whole < 1 || std::abs(cells - whole) > 1e-6 * whole)
      refuse_grid(text, fmt::format("the range from {} to {} is no whole number of steps", grid.lower[axis],
                                    grid.upper[axis]));
    *counts[axis] = static_cast<int>(whole);
  }
  if (int64_t{grid.rows} * grid.columns > kMaxGroundCells)
    refuse_grid(text,
                fmt::format("{} x {} cells are more than {}", grid.rows, grid.columns, kMaxGroundCells));
  return grid;
}

Blend blend_of(const std::string& name) { return row_named(name, kBlends, "blend").value; }
std::vector<std::string> blend_names() { return names_in(kBlends); }

std::vector<Mosaic> ground_mosaics(const Rig& rig, std::span<const Image> images, const GroundGrid& grid,
                                   Blend blend, std::span<const double> heights) {
  check_rig(rig);
  if (rig.cameras.size() > static_cast<size_t>(kernels::kMaxGatherCameras))
    throw Error(ErrorKind::Shape, fmt::format("a rig of {} cameras; at most {} make a mosaic",
                                              rig.cameras.size(), kernels::kMaxGatherCameras));
  const Pictures pictures(images);
  const Matrices matrices(rig);
  std::vector<Mosaic> mosaics;
  for (const double height : heights) {
    std::vector<View> views;
    for (size_t i = 0; i < images.size(); ++i) views.emplace_back(rig.cameras[i], images[i], height);
    mosaics.push_back(mosaic_at(matrices, pictures, views, grid, blend, height));
  }
  return mosaics;
}

}  // namespace tyto::apps
