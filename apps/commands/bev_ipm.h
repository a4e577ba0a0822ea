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

// --ipm, --grid, --heights and --blend, the last three with --ipm alone. The flags must outlive the options.
void add_ipm_options(ResumableOptions& options, IpmFlags& flags);

// What `tyto bev` hands over.
struct IpmRun {
  std::string output;                 // folder
  std::string shard;                  // "i/n" by sequence, or empty
  int decoders = 1;                   // threads
  bool exif = false;                  // turn images as EXIF says
  bool resume = false, json = false;  // json: the summary
};

// output/ipm.jsonl, a line a sample in the order of the samples (see IpmLine), and the pictures that it
// names; output/skipped.txt says why samples were left out. A sample of which a camera cannot be read is left
// out whole. Returns an exit code.
int run_ipm(const ResumableOptions& options, const IpmFlags& flags, const SampleInputs& inputs,
            const IpmRun& run);

}  // namespace tyto::apps
