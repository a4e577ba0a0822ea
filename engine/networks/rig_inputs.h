// What networks that see from above take beside their images: the calibration of a rig of cameras, as F32,
// [N, cameras, rows, columns] row-major. BevSegmenter fills these inputs by their names.
#pragma once

#include "engine/networks/inputs.h"

namespace tyto {

// [3, 3] of the image as the camera took it; [4, 4] camera to ego, or to the lidar where
// BevGridInfo::lidar_frame says so; [3, 3] from pixels of the camera's image to those of the network's input.
inline constexpr const char* kIntrinsics = "intrinsics";
inline constexpr const char* kCameraToEgo = "camera_to_ego";
inline constexpr const char* kImageAugmentation = "image_augmentation";

inline std::vector<InputInfo> rig_inputs(int cameras) {
  return {steady_input(kIntrinsics, {cameras, 3, 3}), steady_input(kCameraToEgo, {cameras, 4, 4}),
          steady_input(kImageAugmentation, {cameras, 3, 3})};
}

}  // namespace tyto
