// Which cells of a grid vehicles stand on, from the boxes of a nuScenes tree.
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "apps/bev/nuscenes_table.h"
#include "apps/bev/sample.h"
#include "tyto/model.h"
#include "tyto/tensor.h"

namespace tyto::apps {

struct AnnotatedBox {
  Matrix4 pose = kIdentity4;     // of its centre, to the world
  std::array<double, 3> size{};  // width, length, height in metres: along y, x, z

  bool operator==(const AnnotatedBox&) const = default;
};

// Boxes whose category is vehicle.*, by the samples' tokens; those of other samples are passed over.
// sample_annotation is read row by row. Errors as of for_each_row(); Error{Format} for a token that is in no
// table.
using VehicleBoxes = std::unordered_map<std::string, std::vector<AnnotatedBox>>;
VehicleBoxes read_vehicle_boxes(const NuscenesTree& tree, const std::vector<Sample>& samples);

// U8 [1, rows, columns] by Lift-Splat-Shoot's rule (get_binimg of its data): the four corners of a box's
// bottom in the ego's frame at the time of LIDAR_TOP, (corner - lower) / step rounded, halves to even, and
// the polygon between these cells filled, its outline included. So a box covers half a cell more on each side
// than its area.
Tensor vehicle_labels(const Sample& sample, const std::vector<AnnotatedBox>& boxes, const BevGridInfo& grid);

}  // namespace tyto::apps
