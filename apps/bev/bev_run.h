// The samples of a run through a network that sees from above, and what comes of each into its folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "apps/bev/bev_journal.h"
#include "apps/bev/sample.h"
#include "apps/images/run_batches.h"
#include "engine/images/preprocessing_rule.h"
#include "tyto/bev_segmenter.h"

namespace tyto::apps {

struct BevTask {
  Sample sample;
  int64_t index = 0;   // see BevLine
  std::string output;  // what its files are called, without extension: no two tasks alike
  bool calibration_changed = false;
};

// Of all samples, whatever the shard: so that shards name and number them alike.
std::vector<BevTask> tasks_of(std::vector<Sample> samples);

enum class RawFormat { Safetensors, Npz };
RawFormat raw_format_from(const std::string& name);  // "safetensors", "npz"; Error{Usage}

struct BevRunOptions {
  std::filesystem::path folder;
  BatchOptions images;  // batch: samples
  RawFormat format = RawFormat::Safetensors;
  float threshold = 0;  // of logits
  bool draw = false;
  std::vector<std::string> classes;  // of the map, different names
};

// Each task that has no line gets its files and then its line, in the order of the tasks; one of whose images
// is not readable goes to `skipped`. Every sample has as many cameras as the network takes. Decodes, computes
// and writes at the same time. Returns how many were done. Throws Interrupted between batches.
int64_t run_bev(const std::vector<BevTask>& tasks, const Preprocessing& rule, BevSegmenter& segmenter,
                const BevRunOptions& options, BevJournal& journal, std::vector<SkippedSample>& skipped);

}  // namespace tyto::apps
