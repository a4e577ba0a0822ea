// The samples of a nuScenes tree: which images belong together, and how its cameras are calibrated.
#pragma once

#include <string>
#include <vector>

#include "apps/bev/nuscenes_table.h"
#include "apps/bev/sample.h"
#include "apps/outputs.h"

namespace tyto::apps {

// The cameras in the order of Lift-Splat-Shoot: CAM_FRONT_LEFT, CAM_FRONT, CAM_FRONT_RIGHT, CAM_BACK_LEFT,
// CAM_BACK, CAM_BACK_RIGHT.
const std::vector<std::string>& nuscenes_cameras();

// Key frames alone, scene by scene as scene.json lists them, a scene's in the order of time. id: the sample's
// token; sequence: its scene's name; cameras: those asked for, in that order; ego_pose and lidar_to_ego: of
// LIDAR_TOP.
//
// scenes: "" all of them; a split (mini_train, mini_val, train, val); the name of a file with a scene's name
// a line; or names with commas between them. Error{Usage} for a scene that scene.json has not, and for a
// split of which it has none.
//
// Of sample_data and ego_pose no more than one row is held at once beside what the samples need. A sample
// without a key frame of LIDAR_TOP or of a camera is added to `skipped`. Errors as of for_each_row(), and
// Error{Format} for a token that is in no table.
std::vector<Sample> read_nuscenes(const NuscenesTree& tree, const std::vector<std::string>& cameras,
                                  const std::string& scenes, SkippedInputs& skipped);

}  // namespace tyto::apps
