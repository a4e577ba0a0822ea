// What `tyto bev` writes into its folder, and how that is read again.
//
//   run.json            how it was made: see BevRun
//   bev.jsonl           a line a sample, in the order of the samples: see BevLine
//   raw/ID.safetensors  or .npz: the network's outputs of the sample, unrounded, without the batch's
//   dimension grids/ID.png        the map, of several classes grids/CLASS/ID.png; forward is up, left is left
//   pictures/ID.jpg     with --draw: the map among the cameras
//   skipped.txt         why samples were left out, a sentence each
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/shard.h"
#include "tyto/model.h"

namespace tyto::apps {

// {"id": "0017", "sequence": "street", "index": 3, "raw": "raw/0017.safetensors", "grids":
// ["grids/0017.png"],
//  "picture": "pictures/0017.jpg", "calibration_changed": false, "cells": {"vehicle": 512}}
struct BevLine {
  std::string id, sequence;
  int64_t index = 0;                 // of the sample among all of the run, other shards' included
  std::string raw;                   // files by their names below the folder
  std::vector<std::string> grids;    // of each class
  std::string picture;               // or empty, and then no key of the line
  bool calibration_changed = false;  // since the sample before it of its sequence, or there is none
  std::vector<std::pair<std::string, int64_t>>
      cells;  // of each class, how many have a logit over the threshold
};

// A sample that was left out.
struct SkippedSample {
  int64_t index = -1;   // as BevLine's; -1: it could not even be listed
  std::string message;  // a sentence that names it and what is wrong
  bool operator==(const SkippedSample&) const = default;
};

// {"identity": {...}, "finished": true, "shard": "0/3", "grid": {"lower": [x, y, z], "step": [...], "cells":
// [...],
//  "rows": "x", "frame": "ego"}, "classes": ["vehicle"], "skipped": [{"index": 3, "message": "..."}]}
struct BevRun {
  std::string identity;                // a JSON object of all that decides the outputs, the shard apart
  bool finished = false;               // or stopped; its outputs are then those of the lines that are there
  std::optional<Shard> shard;          // where it is a part of a run
  BevGridInfo grid;                    // of the output `map` [classes, rows, columns]
  std::vector<std::string> classes;    // different names
  std::vector<SkippedSample> skipped;  // of a finished run
};

std::string to_json_line(const BevLine&);  // without a line break
BevLine bev_line_from(const std::string& line, const std::filesystem::path& file, int64_t line_number);

void write_bev_run(const std::filesystem::path& folder, const BevRun&);

// Error{File, Format} where FOLDER/run.json or FOLDER/bev.jsonl cannot be read or is another thing; both name
// the file.
BevRun read_bev_run(const std::filesystem::path& folder);
void for_each_bev_line(const std::filesystem::path& folder, const std::function<void(const BevLine&)>& visit);

}  // namespace tyto::apps
