// Networks that see from above: images of a calibrated rig in, a map of the ground around it out.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tyto/image.h"
#include "tyto/model.h"
#include "tyto/plan.h"
#include "tyto/tensor.h"

namespace tyto {

using Matrix3 = std::array<double, 9>;   // row-major
using Matrix4 = std::array<double, 16>;  // row-major; poses: rotation and metres, last row 0 0 0 1

inline constexpr Matrix3 kIdentity3 = {1, 0, 0, 0, 1, 0, 0, 0, 1};
inline constexpr Matrix4 kIdentity4 = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};

// A calibrated pinhole camera. Axes of the camera: x right, y down, z forward; of the ego: x forward, y left,
// z up.
struct Camera {
  Matrix3 intrinsics = kIdentity3;     // of the image as the camera took it, in pixels
  Matrix4 camera_to_ego = kIdentity4;  // metres
  // From pixels of the camera's image to those of the image that is given, where that was scaled, cropped,
  // mirrored or turned before; last row 0 0 1.
  Matrix3 augmentation = kIdentity3;

  bool operator==(const Camera&) const = default;
};

struct Rig {
  std::vector<Camera> cameras;        // in the order that the network was trained with
  Matrix4 lidar_to_ego = kIdentity4;  // read by networks whose grid is in the lidar's frame

  bool operator==(const Rig&) const = default;
};

// Error{Shape}, whose sentence begins with `camera N`, for a matrix that is not finite or has no inverse, and
// for a pose or an augmentation whose last row is another.
void check_rig(const Rig&);

struct BevOptions {
  Precision precision = Precision::Fp32;
  int64_t batch = 1;                       // samples
  std::map<std::string, std::string> set;  // overrides the network options of the model file: cameras=8
};

// Batches of samples go in, several on their way at once, and come out in order. A sample is its rig's
// images, in the rig's order. What depends on calibrations alone is computed again for those samples of a
// batch whose calibration differs from that of the batch before.
class BevSegmenter {
 public:
  // Error{Unsupported} where the network's task is another.
  BevSegmenter(const Model& model, Context& context, const BevOptions& options);
  ~BevSegmenter();
  BevSegmenter(BevSegmenter&&) noexcept;

  int64_t cameras() const;  // that a sample has
  const BevGridInfo& grid() const;
  int64_t classes() const;  // of the output `map` [batch, classes, rows, columns]

  // At most `batch` samples: images[i * cameras() ...] and rigs[i] of each. The images may go when the call
  // returns. Error{Shape} for others.
  void submit(std::span<const Image> images, std::span<const Rig> rigs);
  // The same of images that Preprocessor made: F32 [batch * cameras(), 3, H, W], rows without an image being
  // zero, and how each of the first was made. It stays in its place until its results are collected.
  void submit(const Tensor& images, std::span<const Geometry> geometries, std::span<const Rig> rigs);
  // Of the first batch that was not collected: the network's outputs by name, of `batch` samples, of which
  // those beyond the batch's mean nothing. They live until the next call.
  const std::map<std::string, Tensor>& collect();
  int in_flight() const;
  bool preprocesses() const;  // see ImagePipeline

  // Samples, and how many of them had another calibration than the sample in their place before.
  struct Calibrations {
    int64_t samples = 0, built = 0;
  };
  Calibrations calibrations() const;
  // What batches cost whose calibrations are those of the batch before, and others. Error{Usage} where
  // repeats < 1, nothing was submitted yet, or a batch waits.
  PlanProfile profile(int repeats);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tyto
