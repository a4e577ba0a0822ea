// Maps seen from above.
#include <array>

#include "engine/cuda/lowering.h"
#include "kernels/bev/bev_index.h"
#include "kernels/bev/bev_pool.h"
#include "kernels/common/channel_blocks.h"

namespace tyto::cuda {
namespace {

template <class T>
kernels::ChannelBlocks<T> channels_last(const kernels::Nhwc<T>& x) {
  return {x.data,    x.n, x.channels, x.height, x.width, x.channels, x.height * x.width * x.channels,
          x.channels};
}

}  // namespace

void Lowering::lower(const BevIndexing& op, const Node& node, int id) {
  const TensorRef intrinsics = stored(node.inputs[0]), poses = stored(node.inputs[1]),
                  augmentations = stored(node.inputs[2]);
  const int64_t samples = intrinsics.shape[0], cameras = intrinsics.shape[1];
  const TensorRef workspace = scratch(kernels::bev_index_workspace(op, samples, cameras));
  const TensorRef runs = new_tensor(node.results[1]), starts = new_tensor(node.results[0]);
  std::vector<TensorRef> used = {intrinsics, poses, augmentations, workspace};
  const std::optional<TensorRef> changed = changed_samples(id, samples, std::array{runs, starts});
  if (changed) used.push_back(*changed);
  used.push_back(runs);
  used.push_back(starts);
  add_step(node, "tyto", used, [=, m = addresses_](cudaStream_t s) {
    kernels::build_bev_index<float>(
        {m->at<const float>(intrinsics), m->at<const float>(poses), m->at<const float>(augmentations),
         samples, cameras},
        op, changed ? m->at<const int32_t>(*changed) : nullptr,
        {.cell_starts = m->at<int32_t>(starts), .runs = m->at<kernels::BevRun>(runs)}, m->at(workspace), s);
  });
  store(id, starts);
  store(id, runs, 1);
}

void Lowering::lower(const BevPool& op, const Node& node, int id) {
  const TensorRef depth = stored(node.inputs[0]), features = stored(node.inputs[1]),
                  starts = stored(node.inputs[2]), runs = stored(node.inputs[3]);
  const int64_t samples = node.shape()[0], cameras = features.shape[0] / samples,
                channels = features.shape[1];
  int64_t bytes = 0;
  with_element_type(features.type, [&]<class T>() {
    bytes = kernels::bev_pool_workspace<T>(op, samples, cameras, channels);
  });
  const TensorRef workspace = scratch(bytes), y = new_tensor(node);
  add_step(node, "tyto", std::array{depth, features, starts, runs, workspace, y},
           [=, m = addresses_](cudaStream_t s) {
             with_element_type(features.type, [&]<class T>() {
               const kernels::LiftedMaps<const T> maps = {.depth = m->at<const T>(depth),
                                                          .depth_stride = depth.channels,
                                                          .features = m->at<const T>(features),
                                                          .feature_stride = features.channels,
                                                          .samples = samples,
                                                          .cameras = cameras,
                                                          .channels = channels};
               kernels::bev_pool<T>(
                   maps,
                   {.cell_starts = m->at<const int32_t>(starts), .runs = m->at<const kernels::BevRun>(runs)},
                   op, channels_last(m->images<T>(y)), nullptr, m->at(workspace), s);
             });
           });
  store(id, y);
}

}  // namespace tyto::cuda
