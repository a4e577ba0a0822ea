// Which samples a command reads that looks at the ground from above: --samples or --nuscenes.
#pragma once

#include <string>
#include <vector>

#include "apps/bev/nuscenes_table.h"
#include "apps/bev/sample.h"
#include "apps/commands/resumable_options.h"
#include "apps/outputs.h"

namespace tyto::apps {

struct SampleInputs {
  std::string samples;               // --samples FILE
  std::string nuscenes, version;     // --nuscenes DIR --version; empty: v1.0-trainval
  std::string scenes;                // --scenes, see read_nuscenes()
  std::vector<std::string> cameras;  // --cameras; empty: all, of nuScenes LSS's six
};

// --samples, --nuscenes, --version, --scenes and --cameras. The inputs must outlive the options.
void add_sample_inputs(ResumableOptions& options, SampleInputs& inputs);

// Of --nuscenes and --version. Error{File} names the versions that are there.
NuscenesTree tree_of(const SampleInputs& inputs);

// Error{Usage} for options that contradict each other or name no samples; else as read_samples_file() and
// read_nuscenes(). Samples that lack a camera of --cameras go to `skipped`.
std::vector<Sample> read_samples(const SampleInputs& inputs, SkippedInputs& skipped);

}  // namespace tyto::apps
