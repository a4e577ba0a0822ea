// A pyramid's maps on the host and on the device under test.
#pragma once

#include <deque>

#include "kernels/cuda/nhwc_batch.h"
#include "kernels/detection/roi_case.h"
#include "kernels/detection/roi_levels.h"

namespace tyto::kernels {

template <class T>
class RoiPyramid {
 public:
  // Levels of half the size each, the first of `shape`; `offset` as NhwcBatch has it.
  RoiPyramid(const MapShape& shape, const RoiLevels& levels, int64_t offset = 0) {
    for (int k = 0; k < levels.count; ++k) {
      maps_.emplace_back(MapShape{shape.n, shape.height >> k, shape.width >> k, shape.channels},
                         static_cast<uint32_t>(k + 1), offset);
      device_.push_back(maps_.back().read());
      host_.push_back(maps_.back().blocks());
    }
  }

  std::span<const Nhwc<const T>> device() const { return device_; }
  std::span<const ChannelBlocks<const float>> host() const { return host_; }

 private:
  std::deque<NhwcBatch<T>> maps_;
  std::vector<Nhwc<const T>> device_;
  std::vector<ChannelBlocks<const float>> host_;
};

// Room for a pyramid's gradients, the CPU's and the device's.
class RoiGradients {
 public:
  RoiGradients(const MapShape& shape, const RoiLevels& levels) {
    for (int k = 0; k < levels.count; ++k) {
      const MapShape s = {shape.n, shape.height >> k, shape.width >> k, shape.channels};
      want_.emplace_back(static_cast<size_t>(s.elements()), 77.0f);
      host_.push_back(blocks_of(want_.back(), s));
      got_.emplace_back(s);
      device_.push_back(got_.back().write());
    }
  }

  std::span<const ChannelBlocks<float>> host() const { return host_; }
  std::span<const Nhwc<float>> device() const { return device_; }

  void expect_equal() const {
    for (size_t k = 0; k < want_.size(); ++k) ASSERT_EQ(bits(got_[k].download()), bits(want_[k]));
  }

 private:
  std::deque<std::vector<float>> want_;
  std::deque<NhwcResult<float>> got_;
  std::vector<ChannelBlocks<float>> host_;
  std::vector<Nhwc<float>> device_;
};

// Regions on the device; of rows that hold none nothing was ever written.
class DeviceRois {
 public:
  explicit DeviceRois(const RoiCase& c) : rows_(static_cast<int64_t>(c.rows.size())), counts_(c.counts) {
    rois_ = c.rois();
    rois_.rows = rows_.data();
    if (c.is_numbered) {
      check_cuda(
          cudaMemcpy(rows_.data(), c.rows.data(), c.rows.size() * sizeof(float), cudaMemcpyHostToDevice));
      return;
    }
    rois_.counts = counts_.data();
    for (int64_t i = 0; i < c.n; ++i)
      check_cuda(cudaMemcpy(rows_.data() + i * c.capacity * 6, c.rows.data() + i * c.capacity * 6,
                            static_cast<size_t>(c.counts[static_cast<size_t>(i)]) * 6 * sizeof(float),
                            cudaMemcpyHostToDevice));
  }

  const Rois& rois() const { return rois_; }

 private:
  DeviceArray<float> rows_;
  DeviceArray<int32_t> counts_;
  Rois rois_;
};

}  // namespace tyto::kernels
