// Lift-Splat-Shoot (Philion and Fidler, ECCV 2020): six cameras' features are lifted along their rays by a
// distribution over depth, pooled on a grid of the ground, and read by half a ResNet-18. Tensor names, rules
// of images and cameras: nv-tlabs/lift-splat-shoot.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/networks/network.h"
#include "engine/networks/rig_inputs.h"
#include "engine/networks/trunks/efficientnet.h"
#include "engine/networks/trunks/resnet.h"

namespace tyto {
namespace {

using kernels::BevGrid;
using kernels::BevIndexing;
using kernels::Frustum;

constexpr const char* kImages = "images";
constexpr OptionSpec kCameras = {"cameras", "6", "images of a sample; the weights serve any number"};

constexpr int kBottleneck = 8;  // by so much the grid's encoder shrinks it, and doubles back exactly

// Whether the stored points are those that Frustum computes: in pixels and metres.
bool agrees(const Frustum& f, const float* points) {
  constexpr double kPixels = 0.01, kMetres = 1e-3;
  for (int bin = 0; bin < f.bins; ++bin)
    for (int row = 0; row < f.height; ++row)
      for (int column = 0; column < f.width; ++column, points += 3) {
        const double u = kernels::linspace_at<double>(column, f.width, f.image_width - 1),
                     v = kernels::linspace_at<double>(row, f.height, f.image_height - 1),
                     depth = f.first_depth + bin * f.depth_step;
        if (!(std::abs(points[0] - u) < kPixels && std::abs(points[1] - v) < kPixels &&
              std::abs(points[2] - depth) < kMetres))
          return false;
      }
  return true;
}

struct Lifting {
  BevIndexing op;
  std::string wrong;  // a sentence, where the tensors' values are no frustum or no grid; `op` then is another
};

// Zeros where they cannot be read.
Tensor values_of(const Weight& weight, std::string& wrong) {
  try {
    return weight.load();
  } catch (const Error& e) {
    wrong = e.what();
    return Tensor::zeros(DType::F32, weight.shape());
  }
}

// `frustum` [bins, height, width, (u, v, depth)].
Frustum frustum_of(const Weights& w, std::string& wrong) {
  const Weight stored = w("frustum", {any, any, any, 3});
  const Tensor values = values_of(stored, wrong);
  const float *first = values.as<float>().data(), *last = first + values.elements() - 3;
  const auto side = [](float end) {
    return end >= 0 && end < kLargestSide ? static_cast<int>(end + 1.5f) : 0;
  };
  Frustum f;
  f.bins = static_cast<int>(stored.dim(0));
  f.height = static_cast<int>(stored.dim(1));
  f.width = static_cast<int>(stored.dim(2));
  f.image_width = side(last[0]);
  f.image_height = side(last[1]);
  f.first_depth = first[2];
  f.depth_step = f.bins > 1 ? (double{last[2]} - first[2]) / (f.bins - 1) : 1;
  if (f.image_width > 0 && f.image_height > 0 && f.first_depth > 0 && f.depth_step > 0 && agrees(f, first))
    return f;
  if (wrong.empty())
    wrong = "'frustum' does not hold an image's pixels, evenly spaced, at evenly spaced depths";
  return {.bins = f.bins};
}

// `dx` a cell's sides, `bx` the first cell's centre, `nx` the numbers of cells, each of x, y, z.
BevGrid grid_of(const Weights& w, std::string& wrong) {
  const Tensor dx = values_of(w("dx", {3}), wrong), bx = values_of(w("bx", {3}), wrong),
               nx = values_of(w("nx", {3}), wrong);
  const std::span<const float> steps = dx.as<float>(), centres = bx.as<float>(), cells = nx.as<float>();
  const auto counts = [&](size_t axis) {
    const int unit = axis == 2 ? 1 : kBottleneck;
    return cells[axis] >= 1 && cells[axis] <= kLargestSide && std::fmod(cells[axis], unit) == 0;
  };
  BevGrid grid;
  if (counts(2))
    grid.cells[2] = static_cast<int>(cells[2]);  // what follows is as wide, even if all else is wrong
  if (wrong.empty() && std::ranges::any_of(steps, [](float step) { return !(step > 0); }))
    wrong = fmt::format("'dx', a cell's sides, is [{}], where positive numbers are needed",
                        fmt::join(steps, ", "));
  if (wrong.empty() && !(counts(0) && counts(1) && counts(2)))
    wrong = fmt::format(
        "'nx', the numbers of cells, is [{}], where whole numbers are needed, the first two multiples of {}",
        fmt::join(cells, ", "), kBottleneck);
  if (!wrong.empty()) return grid;
  for (size_t axis = 0; axis < 3; ++axis) {
    grid.step[axis] = steps[axis];
    grid.lower[axis] = double{centres[axis]} - double{steps[axis]} / 2;
    grid.cells[axis] = static_cast<int>(cells[axis]);
  }
  return grid;
}

Lifting lifting_of(const Weights& w) {
  Lifting lifting;
  lifting.op.frustum = frustum_of(w, lifting.wrong);
  lifting.op.grid = grid_of(w, lifting.wrong);
  return lifting;
}

// Where the deep map, so many times smaller, joins the shallow one.
Value up(Graph& g, const Weights& w, Value deep, Value shallow, int factor) {
  const Shape& size = g.shape(deep);
  const Value upsampled = g.apply(Upsample{.height = size[2] * factor,
                                           .width = size[3] * factor,
                                           .mode = kernels::Upsampling::BilinearCorners},
                                  {deep});
  Value x = g.concat({shallow, upsampled}, 1);
  for (const auto& [conv, norm] : {std::pair{"conv.0", "conv.1"}, {"conv.3", "conv.4"}})
    x = g.relu(g.batch_norm(g.conv2d(x, w.scope(conv), {.kernel = 3, .padding = 1}), w.scope(norm)));
  return x;
}

struct Lifted {
  Value depth, features;  // of each camera: logits of the bins, and what is spread by them
};

Lifted encode_cameras(Graph& g, const Weights& w, Value images, int bins) {
  const Weights trunk = w.scope("trunk");
  const auto maps = efficientnet_trunk(g, trunk, g.to_map(images), kEfficientNetScales[0]);
  for (const char* layer : {"_conv_head.", "_bn1.", "_fc."}) trunk.expect_unused(layer);  // ImageNet's
  Value x = up(g, w.scope("up1"), maps[4], maps[3], 2);
  x = g.conv2d(x, w.scope("depthnet"), {}, Graph::Bias::Required);
  return {g.slice(x, 1, 0, bins), g.slice(x, 1, bins, g.channels(x) - bins)};
}

Value encode_grid(Graph& g, const Weights& w, Value x) {
  x = g.conv2d(x, w.scope("conv1"), {.kernel = 7, .stride = 2, .padding = 3});
  x = g.relu(g.batch_norm(x, w.scope("bn1")));
  const Value shallow = resnet_layer(g, w, x, 1, 1);
  x = resnet_layer(g, w, resnet_layer(g, w, shallow, 2, 2), 3, 2);
  x = up(g, w.scope("up1"), x, shallow, 4);
  const Weights last = w.scope("up2");
  const Shape& size = g.shape(x);
  x = g.apply(
      Upsample{.height = size[2] * 2, .width = size[3] * 2, .mode = kernels::Upsampling::BilinearCorners},
      {x});
  x = g.conv2d(x, last.scope("1"), {.kernel = 3, .padding = 1});
  return g.conv2d(g.relu(g.batch_norm(x, last.scope("2"))), last.scope("4"), {}, Graph::Bias::Required);
}

BevGridInfo described(const BevGrid& grid) {
  BevGridInfo info;
  std::ranges::copy(grid.lower, info.lower.begin());
  std::ranges::copy(grid.step, info.step.begin());
  std::ranges::copy(grid.cells, info.cells.begin());
  return info;
}

NetworkOutputs build(Graph& g, const Weights& w, const Options&, const Inputs& in) {
  Lifting lifting = lifting_of(w);
  const auto& [frustum, grid] = lifting.op;
  const Lifted lifted = encode_cameras(g, w.scope("camencode"), in.at(kImages), frustum.bins);
  const auto index =
      g.bev_index("lift", in.at(kIntrinsics), in.at(kCameraToEgo), in.at(kImageAugmentation), lifting.op);
  const Value pooled =
      g.bev_pool("splat", lifted.depth, lifted.features, index, {.frustum = frustum, .grid = grid});
  const Value map = encode_grid(g, w.scope("bevencode"), pooled);
  // Only now, so that a checkpoint of this network is seen to be one.
  if (!lifting.wrong.empty()) throw Error(ErrorKind::Format, lifting.wrong);
  NetworkOutputs outputs = {{{"map", map}, {"pooled", pooled}}, Task::Bev, g.channels(map)};
  outputs.grid = described(grid);
  return outputs;
}

std::vector<InputInfo> inputs(const Weights& w, const Options& options) {
  const int cameras = options.integer(kCameras.name, 1, 64);
  std::string wrong;
  const Frustum frustum = frustum_of(w, wrong);
  Preprocessing rule = imagenet_preprocessing();
  rule.height = frustum.image_height;
  rule.width = frustum.image_width;
  rule.fit = Fit::BottomCrop;
  rule.resampling = Resampling::PilBicubic;
  std::vector<InputInfo> inputs = rig_inputs(cameras);
  inputs.insert(inputs.begin(), image_input(rule, kImages, cameras));
  return inputs;
}

}  // namespace

Network lift_splat_shoot() {
  return {"lift_splat_shoot",
          "bird's-eye view: Lift-Splat-Shoot on EfficientNet-B0, nv-tlabs' names",
          {kCameras},
          inputs,
          build};
}

}  // namespace tyto
