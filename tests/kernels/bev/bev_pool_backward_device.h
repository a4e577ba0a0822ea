// bev_pool_backward on the device under test.
#pragma once

#include "kernels/bev/bev_pool_backward_cases.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels::bev_gradients {

struct OnDevice {
  static Frustum small_frustum() { return frustum_of(3, 7, 9); }

  template <class T>
  Gradients of(const Problem& p) const {
    const Case& c = p.c;
    const auto at = [](auto& values, int64_t i) {
      using Element =
          std::conditional_t<std::is_const_v<std::remove_reference_t<decltype(values)>>, const T, T>;
      return reinterpret_cast<Element*>(values.data()) + i;
    };
    const DeviceArray<Stored<T>> depth(stored<T>(c.stored_depth())), features(stored<T>(c.stored_features()));
    const DeviceArray<Stored<T>> gradient(stored<T>(p.stored_gradient(c.block())));
    const auto untouched = [](int64_t size) {
      return stored<T>(std::vector<double>(static_cast<size_t>(size), kUntouched));
    };
    DeviceArray<Stored<T>> depth_gradient(untouched(depth.size())),
        features_gradient(untouched(features.size()));
    const auto index =
        bev_reference::index_of(c.cells, c.pool.frustum, c.pool.grid, c.maps.samples, c.maps.cameras);
    const DeviceArray<int32_t> starts(index.cell_starts), cells(index.cells), winners(p.winners);
    const DeviceArray<BevRun> runs(index.runs);
    DeviceArray<char> workspace(
        bev_pool_backward_workspace<T>(c.pool, c.maps.samples, c.maps.cameras, c.maps.channels));
    const LiftedMaps<const T> maps = c.lifted(at(depth, 0), at(features, c.offset));
    const LiftedMaps<T> gradients = {p.wants_depth ? at(depth_gradient, 0) : nullptr,
                                     maps.bins,
                                     maps.depth_stride,
                                     p.wants_features ? at(features_gradient, c.offset) : nullptr,
                                     maps.feature_stride,
                                     maps.samples,
                                     maps.cameras,
                                     maps.channels};
    bev_pool_backward<T>(maps, {starts.data(), runs.data(), cells.data()}, c.pool,
                         c.blocks<const T>(at(gradient, 0), c.block()),
                         p.winners.empty() ? nullptr : winners.data(), gradients, workspace.data(), nullptr);
    return read(p, doubles<T>(depth_gradient.download()), doubles<T>(features_gradient.download()));
  }
};

// B1's maps of one camera, a grid of a sixteenth.
inline Case sixteenth_of_b1() {
  bev_rig::BevCase b1 = bev_rig::bev_case("B1");
  b1.grid.cells[0] = b1.grid.cells[1] = 50;
  b1.grid.step[0] = b1.grid.step[1] = 2;
  const auto samples = profile_batch();
  Case c = bev_pooling::random_case(b1.frustum, b1.grid, samples, 1, b1.channels);
  std::vector<int32_t> cells = bev_reference::cells_of(b1);
  cells.resize(static_cast<size_t>(b1.frustum.points()));
  for (size_t i = 0; i < c.cells.size(); ++i) c.cells[i] = cells[i % cells.size()];
  return c;
}

}  // namespace tyto::kernels::bev_gradients
