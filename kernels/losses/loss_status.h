// Why a loss is NaN: one word beside the loss, in the device's memory or the host's, that its owner sets to
// 0.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

enum class LossFault : uint8_t { None, Box, Label, NotFinite };  // the later wins

// What the fault was found in; the earlier wins.
enum class LossInput : uint8_t {
  Features,
  Logits,
  Labels,
  Modalities,
  Weights,
  Centers,
  Locations,
  TeacherLogits,
  TeacherLocations,
  Boxes,
  Rois,
};

// The word of a fault; of several, the largest stays: the first row of the gravest fault, whoever reports
// first.
using LossStatus = unsigned long long;  // what atomicMax takes

inline constexpr int kLossRowBits = 48;
inline constexpr LossStatus kLossRows = (LossStatus{1} << kLossRowBits) - 1;

TYTO_HOST_DEVICE constexpr LossStatus loss_status(LossFault fault, LossInput input, int64_t row) {
  return static_cast<LossStatus>(fault) << 56 |
         static_cast<LossStatus>(255 - static_cast<int>(input)) << kLossRowBits |
         (kLossRows - static_cast<LossStatus>(row));
}

constexpr LossFault fault_of(LossStatus status) { return static_cast<LossFault>(status >> 56); }
constexpr LossInput input_of(LossStatus status) {
  return static_cast<LossInput>(255 - (status >> kLossRowBits & 255));
}
constexpr int64_t row_of(LossStatus status) { return static_cast<int64_t>(kLossRows - (status & kLossRows)); }

// "features: row 17 holds a value that is not finite"; empty for 0.
std::string describe(LossStatus);

}  // namespace tyto::kernels
