// The trials of SYSU-MM01's protocol: which images stand in which gallery.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/reid/features_file.h"

namespace tyto::apps {

struct SysuRules {
  bool indoor = false;  // galleries of cameras 1 and 2; else of 1, 2, 4 and 5
  int64_t shots = 1;    // images a gallery has of an identity and camera, all where there are fewer
  int64_t trials = 10;
  std::string
      permutations;  // rand_perm_cam.mat, whose orders draw the galleries; empty: Python's random does
};

// Rows of the gallery set, rising, a list a trial (gallery_draws.h). Error{Usage} names the first query
// that is not of cameras 3 and 6 and the first gallery image that is not of cameras 1, 2, 4 and 5, and says
// where there is nothing to draw from or the permutations are of fewer trials.
std::vector<std::vector<int64_t>> draw_galleries(const SysuRules& rules, const FeatureSet& queries,
                                                 const FeatureSet& gallery);

// "all search, 10 shots, galleries of rand_perm_cam.mat"
std::string describe(const SysuRules& rules);

}  // namespace tyto::apps
