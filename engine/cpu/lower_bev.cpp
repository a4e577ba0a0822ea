// Maps seen from above.
#include <array>

#include "engine/cpu/lowering.h"
#include "kernels/bev/bev_index.h"
#include "kernels/bev/bev_pool.h"

namespace tyto::cpu {
namespace {

int32_t* integers(const memory& m) { return static_cast<int32_t*>(m.get_data_handle()); }
kernels::BevRun* runs_of(const memory& m) { return static_cast<kernels::BevRun*>(m.get_data_handle()); }

}  // namespace

void Lowering::lower(const BevIndexing& op, const Node& node, int id) {
  const TensorRef intrinsics = rows(node.inputs[0]), poses = rows(node.inputs[1]),
                  augmentations = rows(node.inputs[2]);
  const int64_t samples = node.shape()[0], cameras = graph_.shape(node.inputs[0])[1];
  const TensorRef workspace = new_tensor(described({kernels::bev_index_cpu_workspace(op, samples, cameras)},
                                                   memory::data_type::u8, memory::format_tag::a));
  const TensorRef runs = new_tensor(plain(node.results[1])), starts = new_tensor(plain(node.results[0]));
  const int32_t* const changed = changed_samples(id, samples, std::array{runs, starts});
  add_step(
      {node.name, "bev_index", "tyto", layout_name(starts.layout), node.shape()},
      [op, samples, cameras, changed, k = bind(intrinsics), p = bind(poses), a = bind(augmentations),
       w = bind(workspace), r = bind(runs), c = bind(starts)](dnnl::stream&) {
        kernels::build_bev_index_cpu<float>({floats(k), floats(p), floats(a), samples, cameras}, op, changed,
                                            {.cell_starts = integers(c), .runs = runs_of(r)},
                                            w.get_data_handle());
      },
      std::array{intrinsics, poses, augmentations, workspace, runs, starts});
  store(id, starts);
  store(id, runs, 1);
}

// What convolutions read best, of which one follows.
memory::desc Lowering::read_by_convolutions(const Shape& map) const {
  const auto any = memory::format_tag::any;
  const memory::desc layout = described(map, memory::data_type::f32, any);
  const memory::dims one = {1, 1};
  const dnnl::convolution_forward::primitive_desc pd({dnnl::prop_kind::forward_inference,
                                                      dnnl::algorithm::convolution_direct,
                                                      layout,
                                                      {{map[1], map[1], 3, 3}, memory::data_type::f32, any},
                                                      layout,
                                                      one,
                                                      one,
                                                      one},
                                                     attributes({}), engine_);
  return has_blocks(pd.src_desc()) ? pd.src_desc()
                                   : described(map, memory::data_type::f32, memory::format_tag::nhwc);
}

void Lowering::lower(const BevPool& op, const Node& node, int id) {
  const Shape &depths = graph_.shape(node.inputs[0]), &images = graph_.shape(node.inputs[1]);
  kernels::LiftedMaps<const float> maps;
  maps.samples = node.shape()[0];
  maps.cameras = images[0] / maps.samples;
  maps.channels = maps.feature_stride = images[1];
  maps.depth_stride = op.frustum.bins;
  const memory::desc bins_first = plain(depths);
  maps.bins =
      stored(node.inputs[0]).layout == bins_first ? kernels::DepthBins::First : kernels::DepthBins::Last;
  const auto nhwc = [&](const Shape& map) {
    return described(map, memory::data_type::f32, memory::format_tag::nhwc);
  };
  const TensorRef depth = maps.bins == kernels::DepthBins::First ? stored(node.inputs[0])
                                                                 : in_layout(node.inputs[0], nhwc(depths));
  const TensorRef features = in_layout(node.inputs[1], nhwc(images)), starts = rows(node.inputs[2]),
                  runs = rows(node.inputs[3]);
  const TensorRef workspace = new_tensor(
      described({kernels::bev_pool_cpu_workspace<float>(op, maps.samples, maps.cameras, maps.channels)},
                memory::data_type::u8, memory::format_tag::a));
  const TensorRef result = new_tensor(read_by_convolutions(node.shape()));
  add_step(
      {node.name, "bev_pool", "tyto", layout_name(result.layout), node.shape()},
      [op, maps, out = blocks(result), d = bind(depth), f = bind(features), c = bind(starts), r = bind(runs),
       w = bind(workspace), y = bind(result)](dnnl::stream&) mutable {
        maps.depth = floats(d);
        maps.features = floats(f);
        out.data = floats(y);
        kernels::bev_pool_cpu<float>(maps, {.cell_starts = integers(c), .runs = runs_of(r)}, op, out, nullptr,
                                     w.get_data_handle());
      },
      std::array{depth, features, starts, runs, workspace, result});
  store(id, result);
}

}  // namespace tyto::cpu
