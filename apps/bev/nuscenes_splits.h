// How nuScenes divides its scenes.
#pragma once

#include <string>
#include <vector>

namespace tyto::apps {

// The names of the scenes of mini_train, mini_val, train (700 scenes) or val (150); empty: there is no such
// split. Source: nuscenes-devkit, utils/splits.py.
std::vector<std::string> scenes_of_split(const std::string& split);

}  // namespace tyto::apps
