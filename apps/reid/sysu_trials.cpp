#include "apps/reid/sysu_trials.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "apps/reid/camera_permutations.h"
#include "engine/metrics/reid/gallery_draws.h"

namespace tyto::apps {
namespace {

const std::vector<int64_t> kInfrared = {3, 6}, kVisible = {1, 2, 4, 5}, kIndoorVisible = {1, 2};

void check_cameras(const FeatureSet& set, SetKind kind, const std::vector<int64_t>& cameras) {
  for (size_t i = 0; i < set.paths.size(); ++i)
    if (std::find(cameras.begin(), cameras.end(), set.cameras[i]) == cameras.end())
      throw Error(
          ErrorKind::Usage,
          fmt::format("{} image '{}' is of {}, but {} images of the protocol sysu are of cameras {}; "
                      "extract the features with --dataset sysu",
                      name_of(kind), set.paths[i],
                      set.cameras[i] == -1 ? "no known camera" : fmt::format("camera {}", set.cameras[i]),
                      name_of(kind), fmt::join(cameras, ", ")));
}

}  // namespace

std::vector<std::vector<int64_t>> draw_galleries(const SysuRules& rules, const FeatureSet& queries,
                                                 const FeatureSet& gallery) {
  check_cameras(queries, SetKind::Query, kInfrared);
  check_cameras(gallery, SetKind::Gallery, kVisible);
  const auto groups = group_images({gallery.ids, gallery.cameras}, rules.indoor ? kIndoorVisible : kVisible);
  if (groups.empty())
    throw Error(ErrorKind::Usage,
                "no gallery image is of camera 1 or 2, of which --mode indoor draws galleries");

  std::vector<std::vector<int64_t>> galleries;
  if (rules.permutations.empty()) {
    for (int64_t trial = 0; trial < rules.trials; ++trial)
      galleries.push_back(draw_gallery(groups, rules.shots, trial));
    return galleries;
  }
  const Permutations permutations = read_camera_permutations(rules.permutations);
  if (permutations.trials < rules.trials)
    throw Error(ErrorKind::Usage, fmt::format("{} has permutations for {} trials; use --trials {}",
                                              rules.permutations, permutations.trials, permutations.trials));
  for (int64_t trial = 0; trial < rules.trials; ++trial)
    galleries.push_back(draw_gallery(groups, rules.shots, trial, permutations));
  return galleries;
}

std::string describe(const SysuRules& rules) {
  const std::string drawn =
      !rules.permutations.empty()
          ? "of " + std::filesystem::path(rules.permutations).filename().string()
          : fmt::format("drawn by Python's {}, seeds 0 to {}",
                        rules.shots == 1 ? "random.choice as in AGW" : "random.sample", rules.trials - 1);
  return fmt::format("{} search, {} shot{}, galleries {}", rules.indoor ? "indoor" : "all", rules.shots,
                     rules.shots == 1 ? "" : "s", drawn);
}

}  // namespace tyto::apps
