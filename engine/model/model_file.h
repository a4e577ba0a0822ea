// Reading and writing the `tyto` key that makes a safetensors file a model file. Format 3, for example:
//
//   {"format": 3, "network": "bev", "task": "bev", "options": {"stride": "1"},
//    "inputs": {"cameras": {"images": 6, "preprocessing": {"size": [256, 704], ...}},
//               "intrinsics": {"type": "F32", "shape": [6, 3, 3], "steady": true},
//               "sizes": {"type": "F32", "shape": [4], "sizes_of": "front"},
//               "runs": {"type": "I32", "shape": [1000, 3], "counted": true},
//               "previous_bev": {"type": "F32", "shape": [80, 128, 128]}},
//    "outputs": {"map": {"type": "activations"}, "bev": {"type": "F32"},
//                "boxes": {"type": "F32", "count": "boxes.count"}},
//    "state": {"previous_bev": "bev"},
//    "grid": {"lower": [-50, -50, -10], "step": [0.5, 0.5, 20], "cells": [200, 200, 1], "rows": "x", "frame":
//             "ego"},
//    "class_names": ["car"], "source_sha256": "...", "tensors_sha256": "..."}
//
// inputs: see InputInfo; "images" are so many a sample, "shape" is a sample's. "state": an input, and the
// output of the run before that it is. "grid", of the task bev alone: see BevGridInfo; "rows": x or y,
// "frame": ego or lidar. "state" and "class_names" may be absent. Format 2 had neither "grid", "steady" nor
// the task bev. Format 1 had one input of one image, "preprocessing" in the place of "inputs", and neither
// "task" nor "outputs".
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "files/safetensors.h"
#include "tyto/model.h"

namespace tyto {

// Error{Format} where the key is missing or wrong, Error{Unsupported} where it is of a newer format than we
// know.
ModelInfo read_model_info(const SafetensorsFile& file);

// As they stand in a file of this format.
nlohmann::ordered_json inputs_json(const ModelInfo& info);
nlohmann::ordered_json outputs_json(const ModelInfo& info);

std::shared_ptr<const TensorSource> tensors_of(const Model& model);

// Writes these tensors of the source, one at a time, in the order given; values that are not finite are
// refused. info.tensors_sha256 is computed on the way. `poll` is called before each tensor and may throw:
// nothing is written then.
void write_model(const std::filesystem::path& path, ModelInfo info, const TensorSource& source,
                 const std::vector<std::string>& names, const std::function<void()>& poll = {});

}  // namespace tyto
