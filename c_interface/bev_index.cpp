#include "kernels/bev/bev_index.h"

#include <tyto_bev.h>

#include <cmath>

#include "c_interface/frame.h"
#include "kernels/bev/camera_math.h"

namespace tyto::c_interface {
namespace {

static_assert(sizeof(tyto_bev_run) == sizeof(kernels::BevRun));

kernels::BevIndexing indexing_of(const tyto_bev_index_desc& d) {
  return {.frustum = {.image_height = d.image_height,
                      .image_width = d.image_width,
                      .height = static_cast<int>(d.height),
                      .width = static_cast<int>(d.width),
                      .bins = static_cast<int>(d.bins),
                      .first_depth = d.first_depth,
                      .depth_step = d.depth_step},
          .grid = {.lower = {d.lower[0], d.lower[1], d.lower[2]},
                   .step = {d.step[0], d.step[1], d.step[2]},
                   .cells = {d.grid[0], d.grid[1], d.grid[2]},
                   .axes = d.axes == TYTO_BEV_AXES_XY ? kernels::GridAxes::XY : kernels::GridAxes::YX,
                   .rounding = d.rounding == TYTO_BEV_TRUNCATE ? kernels::CellRounding::Truncate
                                                               : kernels::CellRounding::Floor}};
}

template <class M, class C>
void build(const kernels::CameraMatrices<M>& matrices, const tyto_bev_index_desc& d, const Call& call) {
  const kernels::MutableBevIndex index{d.cell_starts, reinterpret_cast<kernels::BevRun*>(d.runs), d.cells};
#ifdef TYTO_C_INTERFACE_CUDA
  if (call.cuda)
    return kernels::build_bev_index<M, C>(matrices, indexing_of(d), d.changed, index, call.workspace,
                                          call.stream);
#endif
  kernels::build_bev_index_cpu<M, C>(matrices, indexing_of(d), d.changed, index, call.workspace);
  const auto finite = [](const C(&values)[9]) {
    for (const C v : values)
      if (!std::isfinite(v)) return false;
    return true;
  };
  for (int64_t i = 0; i < d.samples * d.cameras; ++i) {
    if (d.changed != nullptr && d.changed[i / d.cameras] == 0) continue;
    const auto back = kernels::unprojection_of<M, C>(
        matrices.intrinsics + 9 * i, matrices.camera_to_grid + 16 * i,
        matrices.image_augmentation ? matrices.image_augmentation + 9 * i : nullptr);
    const bool found =
        std::isfinite(back.offset[0]) && std::isfinite(back.offset[1]) && std::isfinite(back.offset[2]);
    if (!found || !finite(back.linear))
      throw Refused{TYTO_BEV_SINGULAR_MATRIX, "the matrices of camera " + std::to_string(i % d.cameras) +
                                                  " of sample " + std::to_string(i / d.cameras) +
                                                  " have no inverse or are not finite; it has no points"};
  }
}

struct BevIndex {
  using Desc = tyto_bev_index_desc;
  static constexpr const char* kName = "tyto_bev_index";
  static constexpr bool kRealsAlone = true;

  static Desc defaults() {
    return {.grid = {200, 200, 1},
            .image_height = 128,
            .image_width = 352,
            .first_depth = 4,
            .depth_step = 1,
            .lower = {-50, -50, -10},
            .step = {0.5, 0.5, 20}};
  }
  static void check(const Desc& d, const Arguments& a) {
    a.size("samples", d.samples);
    a.size("cameras", d.cameras, 1);
    a.size("bins", d.bins, 1);
    a.size("height", d.height, 1);
    a.size("width", d.width, 1);
    a.below("height", {d.height}, 65536);
    a.below("width", {d.width}, 65536);
    a.below("cameras * bins * height * width", {d.cameras, d.bins, d.height, d.width});
    for (const int32_t cells : d.grid) a.size("grid", cells, 1);
    a.below("grid", {d.grid[0], d.grid[1], d.grid[2]});
    const int64_t cells = int64_t{d.grid[0]} * d.grid[1] * d.grid[2];
    a.elements("intrinsics", d.intrinsics, {d.samples, d.cameras, 9});
    a.elements("camera_to_grid", d.camera_to_grid, {d.samples, d.cameras, 16});
    a.optional("image_augmentation", d.image_augmentation, {d.samples, d.cameras, 9}, a.element_bytes());
    a.optional("changed", d.changed, {d.samples}, sizeof *d.changed);
    a.integers("cell_starts", d.cell_starts, {d.samples, cells + 1});
    a.array("runs", d.runs, {d.samples, d.cameras, d.bins, d.height, d.width, 2}, sizeof(int32_t), 2);
    a.optional("cells", d.cells, {d.samples, d.cameras, d.bins, d.height, d.width}, sizeof *d.cells);
    a.flag("in_float", d.in_float);
    if (d.in_float != 0 && d.elements != TYTO_FLOAT)
      throw Refused{TYTO_BEV_BAD_ARGUMENT, "in_float is 1, but elements is not TYTO_FLOAT"};
    a.size("image_height", d.image_height, 1);
    a.size("image_width", d.image_width, 1);
    a.choice("axes", d.axes, 2);
    a.choice("rounding", d.rounding, 2);
    a.positive("first_depth", d.first_depth);
    a.positive("depth_step", d.depth_step);
    for (const double v : d.lower) a.number("lower", v);
    for (const double v : d.step) a.positive("step", v);
  }
  template <class M>
  static int64_t workspace(const Desc& d, bool cuda) {
#ifdef TYTO_C_INTERFACE_CUDA
    if (cuda) return kernels::bev_index_workspace(indexing_of(d), d.samples, d.cameras);
#endif
    static_cast<void>(cuda);
    return kernels::bev_index_cpu_workspace(indexing_of(d), d.samples, d.cameras);
  }
  template <class M>
  static void run(const Desc& d, const Call& call) {
    const kernels::CameraMatrices<M> matrices{
        static_cast<const M*>(d.intrinsics), static_cast<const M*>(d.camera_to_grid),
        static_cast<const M*>(d.image_augmentation), d.samples, d.cameras};
    if constexpr (std::is_same_v<M, float>)
      if (d.in_float != 0) return build<float, float>(matrices, d, call);
    build<M, double>(matrices, d, call);
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_bev_index, tyto::c_interface::BevIndex)
