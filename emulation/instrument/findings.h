// From what was seen at a kernel's sites to what a person reads.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "emulation/instrument/access.h"
#include "emulation/instrument/instrument.h"
#include "emulation/instrument/race_check.h"
#include "emulation/instrument/requests.h"
#include "emulation/instrument/sites.h"
#include "emulation/instrument/source_lines.h"

namespace emulation::instrument {

// A finding at one site, or a race's pair of them; but for the count, the first time.
struct Occurrence {
  dim3 block;
  int thread = 0;
  Conflict conflict;   // of a race
  dim3 other_block;    // of a race
  std::string detail;  // of what is no race
  int64_t count = 0;
};

// All that is known of a kernel.
struct KernelRecord {
  Sites sites;
  CountsBySite counts;
  std::vector<LaunchProfile> launches;
  std::map<std::tuple<FindingKind, SiteId, SiteId>, Occurrence> occurrences;
};

const char* does(AccessKind kind);  // "reads"

// The record's occurrences, those of the same lines as one.
std::vector<Finding> findings_of(const std::string& kernel, const KernelRecord& record, SourceLines& lines);

}  // namespace emulation::instrument
