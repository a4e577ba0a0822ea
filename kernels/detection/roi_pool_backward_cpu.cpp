#include "kernels/detection/roi_owners_cpu.h"
#include "kernels/detection/roi_pool.h"

namespace tyto::kernels {

void roi_pool_backward_cpu(const ChannelBlocks<const float>& gradient, const int32_t* argmax,
                           const Rois& rois, const RoiPool& params,
                           std::span<const ChannelBlocks<float>> map_gradients) {
  const std::vector<RoiOwner> owners = roi_owners(map_gradients, gradient);
  const std::vector<int> levels = levels_of(rois, params.levels);
#pragma omp parallel for schedule(dynamic)
  for (size_t i = 0; i < owners.size(); ++i) {
    const RoiOwner& owner = owners[i];
    const ChannelBlocks<float>& map = map_gradients[owner.level];
    float* to = channel_of(map, owner.image, owner.channel);
    const int64_t first_row = rois.first_row(owner.image);
    for (int64_t row = first_row; row < first_row + rois.capacity; ++row) {
      if (levels[static_cast<size_t>(row)] != static_cast<int>(owner.level) ||
          !rois.holds_of(row, owner.image))
        continue;
      const float* from = channel_of(gradient, row, owner.channel);
      const int32_t* where = argmax + (from - gradient.data);
      for (int64_t bin = 0; bin < gradient.area(); ++bin, from += gradient.block, where += gradient.block)
        for (int64_t l = 0; l < owner.count; ++l)
          if (where[l] >= 0) to[where[l] * map.block + l] += from[l];
    }
  }
}

}  // namespace tyto::kernels
