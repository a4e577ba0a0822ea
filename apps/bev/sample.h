// What `tyto bev` works on: the images that a rig of cameras took at one time.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tyto/bev_segmenter.h"

namespace tyto::apps {

struct SampleCamera {
  std::string name;             // "CAM_FRONT"
  std::filesystem::path image;  // whose pixels are camera.augmentation of the camera's own
  Camera camera;
};

struct Sample {
  std::string id;        // a nuScenes token, or of a line of samples.jsonl; different for each sample
  std::string sequence;  // its scene; samples of one come in the order of time
  Matrix4 ego_pose = kIdentity4;  // ego to world: of the lidar's time in nuScenes
  Matrix4 lidar_to_ego = kIdentity4;
  std::vector<SampleCamera> cameras;

  Rig rig() const {
    Rig rig;
    for (const SampleCamera& c : cameras) rig.cameras.push_back(c.camera);
    rig.lidar_to_ego = lidar_to_ego;
    return rig;
  }
};

}  // namespace tyto::apps
