// Galleries drawn from all images that could stand in one: SYSU-MM01's single- and multi-shot galleries.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/metrics/reid/labels.h"

namespace tyto {

// The images of one identity that one camera took.
struct ImageGroup {
  int64_t id = 0, camera = 0;
  std::vector<int64_t> rows;  // of the feature matrix, rising; never empty
};

// The images of these cameras, identities rising, within an identity the cameras in the order given.
std::vector<ImageGroup> group_images(const Labels& images, std::span<const int64_t> cameras);

// Fixed orders of every group's images, one a trial: SYSU-MM01's rand_perm_cam.mat.
struct Permutations {
  std::string origin;  // the file, for messages
  int64_t trials = 0;
  std::map<std::pair<int64_t, int64_t>, std::vector<std::vector<int64_t>>>
      of;  // {camera, id} -> [trial][image], the numbers 0 to images - 1
};

// What stands in a gallery of `shots` images a group (all where a group has fewer): rows, rising.
//
// By random.seed(trial) of Python and, group by group, random.choice() for one shot. So AGW's
// process_gallery_sysu draws, and with it DDAG, the hetero-centre-triplet network, DEEN and others
// (mangye16/Cross-Modal-Re-ID-baseline, data_manager.py; trials 0 to 9, files of a group sorted by name). For
// several shots nothing can be repeated: published code draws with numpy's generator, which no trial seeds.
// Here several shots are random.sample(group, shots).
std::vector<int64_t> draw_gallery(std::span<const ImageGroup> groups, int64_t shots, int64_t trial);

// The first `shots` of each group's permutation (wuancong/SYSU-MM01, evaluation/get_testing_set.m).
// 0 <= trial < permutations.trials. Error{Format} where the permutations are of another number of images than
// the group has.
std::vector<int64_t> draw_gallery(std::span<const ImageGroup> groups, int64_t shots, int64_t trial,
                                  const Permutations& permutations);

}  // namespace tyto
