// SYSU-MM01's fixed galleries: rand_perm_cam.mat of its evaluation code.
#pragma once

#include <filesystem>

#include "engine/metrics/reid/gallery_draws.h"

namespace tyto::apps {

// A MAT file with the array of cells rand_perm_cam: one cell a camera, from camera 1 on; in it one cell an
// identity, from identity 1 on; in that a matrix [trials, images], each row the numbers 1 to images in some
// order, with no columns where the camera never saw the identity (wuancong/SYSU-MM01, evaluation/data_split).
// All matrices have the same number of rows. Error{File} or Error{Format} names the file, and the camera and
// identity whose permutations are none.
Permutations read_camera_permutations(const std::filesystem::path& path);

}  // namespace tyto::apps
