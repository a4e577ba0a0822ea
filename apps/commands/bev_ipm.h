// The half of `tyto bev` that needs no network: --ipm.
#pragma once

#include <string>
#include <vector>

#include "apps/commands/resumable_options.h"
#include "apps/commands/sample_inputs.h"

namespace tyto::apps {

struct IpmFlags {
  bool ipm = false;
  std::string grid, blend = "weighted";
  std::vector<double> heights = {0};
};

// --ipm, --grid, --heights and --blend, the last three of use with --ipm alone. The flags must outlive the
// options.
void add_ipm_options(ResumableOptions& options, IpmFlags& flags);

// What `tyto bev` hands over.
struct IpmRun {
  std::string output;    // folder
  std::string shard;     // "i/n" by sequence, or empty
  std::string identity;  // of all options that decide what is written
  int decoders = 1;      // threads
  bool exif = false;     // turn images as EXIF says
  bool resume = false, json = false;
};

// output/ipm.jsonl, a line a sample, in the order of the samples:
// {"id": "0017", "sequence": "street", "mosaics": [{"height": 0.0, "file": "mosaics/0017.png", "seen":
// 0.93}]} and the pictures, of several heights called ID_z0.5.png; output/skipped.txt names samples that were
// left out, each of which is whole or not at all. Returns an exit code.
int run_ipm(const IpmFlags& flags, const SampleInputs& inputs, const IpmRun& run);

}  // namespace tyto::apps
