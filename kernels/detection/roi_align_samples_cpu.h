// The samples of a region on the CPU.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/common/channel_blocks.h"
#include "kernels/detection/roi_align_math.h"

namespace tyto::kernels {

// A region's samples along one axis, bin by bin; those beyond the map are left out.
struct AxisTaps {
  AlignAxis axis;
  std::vector<AlignTap> taps;
  std::vector<size_t> begin;  // of each bin, and the end

  void set(const AlignAxis& a, int bins, int64_t extent) {
    axis = a;
    taps.clear();
    begin.assign(1, 0);
    for (int bin = 0; bin < bins; ++bin) {
      for (int sample = 0; sample < axis.samples; ++sample) {
        AlignTap tap;
        if (align_tap(axis, bin, sample, static_cast<int>(extent), tap)) taps.push_back(tap);
      }
      begin.push_back(taps.size());
    }
  }
};

struct AlignSamples {
  AxisTaps rows, columns;

  template <class T>
  void set(const Box& box, const RoiAlign& params, float scale, const ChannelBlocks<T>& map) {
    rows.set(align_axis(box.y1, box.y2, scale, params.height, params), params.height, map.height);
    columns.set(align_axis(box.x1, box.x2, scale, params.width, params), params.width, map.width);
  }
};

}  // namespace tyto::kernels
