// Maps seen from above. Calibrations are the identity and a little noise, so that points fall into cells.
#include "engine/self_test/cases.h"

namespace tyto {
namespace {

constexpr int kBins = 5, kHeight = 4, kWidth = 6;
constexpr int64_t kChannels = 21;  // fills no vector

Value near_identity(Graph& g, const std::string& name, int64_t side) {
  Tensor identity = Tensor::zeros(DType::F32, {1, 1, side, side}), tenth(DType::F32, {1});
  for (int64_t i = 0; i < side; ++i) identity.as<float>()[static_cast<size_t>(i * side + i)] = 1;
  tenth.as<float>()[0] = 0.1f;
  const Value noise = g.input(name, {2, 1, side, side}, Elements::F32, /*counted=*/false, /*steady=*/true);
  const Value scaled = g.mul(noise, g.constant(constant("tenth", tenth), Elements::F32));
  return g.add(scaled, g.constant(constant("identity", identity), Elements::F32));
}

// Of two samples of one camera; x holds a pixel's depths and its features.
Value pooled(Graph& g, Value x, BevPool op) {
  op.frustum = {.image_height = 4,
                .image_width = 6,
                .height = kHeight,
                .width = kWidth,
                .bins = kBins,
                .first_depth = 0.5,
                .depth_step = 0.5};
  const Value intrinsics = near_identity(g, "intrinsics", 3), pose = near_identity(g, "camera_to_grid", 4),
              augmentation = near_identity(g, "image_augmentation", 3);
  const auto index =
      g.bev_index("cells", intrinsics, pose, augmentation, {.frustum = op.frustum, .grid = op.grid});
  return g.bev_pool("pool", g.slice(x, 1, 0, kBins), g.slice(x, 1, kBins, kChannels), index, op);
}

}  // namespace

std::vector<OperatorCase> bev_cases() {
  const Shape maps = {2, kBins + kChannels, kHeight, kWidth};
  const double points = kBins * kHeight * kWidth;  // the most that may fall into one cell
  return {{"features spread over depth, summed by cells of x, y and z",
           maps,
           points,
           2,
           {},
           [](Graph& g, const Weights&, Value x) {
             return pooled(g, x, {.grid = {.lower = {0, 0, 0}, .step = {2, 1.5, 1.5}, .cells = {4, 5, 2}}});
           }},
          {"weighted features, their mean by cells of y and x",
           maps,
           points,
           2,
           {},
           [](Graph& g, const Weights&, Value x) {
             return pooled(g, x,
                           {.grid = {.lower = {1, 0, -1},
                                     .step = {2, 1.5, 9},
                                     .cells = {4, 5, 1},
                                     .axes = kernels::GridAxes::YX,
                                     .rounding = kernels::CellRounding::Floor},
                            .reduction = kernels::BevReduction::Mean,
                            .logits = false});
           }},
          {"features spread over depth, the largest of a cell",
           maps,
           points,
           2,
           {},
           [](Graph& g, const Weights&, Value x) {
             return pooled(g, x,
                           {.grid = {.lower = {0, 0, 0}, .step = {2, 2, 9}, .cells = {4, 4, 1}},
                            .reduction = kernels::BevReduction::Max});
           }}};
}

}  // namespace tyto
