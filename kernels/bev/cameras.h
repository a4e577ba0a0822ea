// A rig of cameras as networks are given it.
#pragma once

#include <cstdint>

namespace tyto::kernels {

// Matrices are row-major; M is double or float, as they are stored.
template <class M>
struct CameraMatrices {
  const M* intrinsics = nullptr;          // [samples, cameras, 3, 3]: pixels of the camera's own image
  const M* camera_to_grid = nullptr;      // [samples, cameras, 4, 4]: metres to metres, in the grid's frame
  const M* image_augmentation = nullptr;  // [samples, cameras, 3, 3]: pixel of the camera's image to pixel of
                                          // the network's input; last row 0 0 1. Null: none
  int64_t samples = 0, cameras = 0;
};

}  // namespace tyto::kernels
