#include "apps/commands/sample_inputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "apps/bev/nuscenes_samples.h"
#include "apps/bev/samples_file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

constexpr const char* kUsualVersion = "v1.0-trainval";

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorKind::Usage, why); }

void check(const SampleInputs& inputs) {
  const bool nuscenes = !inputs.nuscenes.empty();
  if (nuscenes && !inputs.samples.empty()) refuse("--samples and --nuscenes are two sources; leave one out");
  if (!nuscenes && inputs.samples.empty())
    refuse("nothing to look at; name a file with --samples or a folder with --nuscenes");
  if (!nuscenes && !inputs.version.empty()) refuse("--version is of --nuscenes");
  if (!nuscenes && !inputs.scenes.empty()) refuse("--scenes is of --nuscenes");
}

// The cameras of these names, in their order. False where one is not there; then `why` says which.
bool choose_cameras(Sample& sample, const std::vector<std::string>& names, std::string& why) {
  std::vector<SampleCamera> chosen;
  for (const std::string& name : names) {
    const auto found = std::ranges::find(sample.cameras, name, &SampleCamera::name);
    if (found == sample.cameras.end()) {
      why = fmt::format("has no camera {}, which --cameras names", name);
      return false;
    }
    chosen.push_back(*found);
  }
  sample.cameras = std::move(chosen);
  return true;
}

}  // namespace

void add_sample_inputs(ResumableOptions& options, SampleInputs& inputs) {
  options.deciding("--samples", inputs.samples,
                   "a file with a line a sample: {\"id\", \"sequence\", \"ego_pose\", \"cameras\": "
                   "[{\"name\", \"image\", \"intrinsics\", \"camera_to_ego\"}, ...]}");
  options.deciding("--nuscenes", inputs.nuscenes, "instead, the folder of a nuScenes data set");
  options.deciding("--version", inputs.version,
                   fmt::format("v1.0-mini, v1.0-trainval or v1.0-test; {} without", kUsualVersion));
  options.deciding("--scenes", inputs.scenes,
                   "mini_train, mini_val, train, val, a file with the name of a scene a line, or names: "
                   "scene-0103,scene-0916");
  options
      .deciding("--cameras", inputs.cameras,
                "which cameras, in the network's order: CAM_FRONT,CAM_BACK; without, all of a sample, of "
                "nuScenes Lift-Splat-Shoot's six")
      ->delimiter(',')
      ->allow_extra_args(false);
}

NuscenesTree tree_of(const SampleInputs& inputs) {
  NuscenesTree tree{inputs.nuscenes, inputs.version.empty() ? kUsualVersion : inputs.version};
  if (std::filesystem::is_directory(tree.root / tree.version)) return tree;
  std::vector<std::string> versions;
  std::error_code unreadable;
  for (const auto& entry : std::filesystem::directory_iterator(tree.root, unreadable))
    if (std::filesystem::exists(entry.path() / "sample_data.json"))
      versions.push_back(entry.path().filename().string());
  std::ranges::sort(versions);
  if (versions.empty())
    throw Error(ErrorKind::File, fmt::format("{}: holds no tables of nuScenes, such as {}/sample_data.json",
                                             inputs.nuscenes, tree.version));
  throw Error(ErrorKind::File, fmt::format("{}: holds no {}; choose with --version {}", inputs.nuscenes,
                                           tree.version, fmt::join(versions, " or ")));
}

std::vector<Sample> read_samples(const SampleInputs& inputs, SkippedInputs& skipped) {
  check(inputs);
  std::vector<std::string> names = inputs.cameras;
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end())
    refuse(fmt::format("--cameras names {} twice", *twice));
  std::vector<Sample> samples;
  if (!inputs.nuscenes.empty())
    samples = read_nuscenes(tree_of(inputs), inputs.cameras.empty() ? nuscenes_cameras() : inputs.cameras,
                            inputs.scenes, skipped);
  else
    samples = read_samples_file(inputs.samples, skipped);

  const size_t listed = samples.size() + skipped.size();
  std::vector<Sample> whole;
  for (Sample& sample : samples) {
    std::string why;
    if (!inputs.cameras.empty() && !choose_cameras(sample, inputs.cameras, why)) {
      skipped.push_back(fmt::format("sample {} {}", sample.id, why));
      continue;
    }
    try {
      check_rig(sample.rig());
    } catch (const Error& error) {
      skipped.push_back(fmt::format("sample {}: {}", sample.id, error.what()));
      continue;
    }
    whole.push_back(std::move(sample));
  }
  if (whole.empty() && listed > 0)
    throw Error(ErrorKind::File,
                fmt::format("none of {} samples could be read; the first: {}", listed, skipped.front()));
  if (whole.empty())
    throw Error(ErrorKind::File, fmt::format("{}: holds no samples",
                                             inputs.nuscenes.empty() ? inputs.samples : inputs.nuscenes));
  return whole;
}

}  // namespace tyto::apps
