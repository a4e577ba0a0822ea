// Samples as any rig can give them: a JSON object a line.
//
// {"id": "0017", "sequence": "street", "ego_pose": POSE, "lidar_to_ego": POSE, "cameras": [{"name": "front",
//   "image": "front/0017.jpg", "intrinsics": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], "camera_to_ego": POSE,
//   "augmentation": [[...], [...], [...]]}, ...]}
//
// POSE is a matrix of 4 x 4 or {"rotation": [w, x, y, z], "translation": [x, y, z]}; images are looked for
// from the file's folder on. "ego_pose", "lidar_to_ego" and "augmentation" may be left out: the identity.
#pragma once

#include <filesystem>
#include <vector>

#include "apps/bev/sample.h"
#include "apps/outputs.h"

namespace tyto::apps {

// In the order of the lines; empty ones are passed over. What is wrong with a line goes to `skipped`, a
// sentence that names file, line and key, and the sample with it: also one whose id stood before. Error{File}
// where the file cannot be read, Error{Format} where it is UTF-16 or UTF-32.
std::vector<Sample> read_samples_file(const std::filesystem::path& file, SkippedInputs& skipped);

}  // namespace tyto::apps
