// Plans for a GPU that is not here, from a description of it: what cuDNN would run there is known with no GPU
// and no driver.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/cuda/convolution.h"

namespace tyto::cuda {

struct PlanSummary {
  std::string description;  // "engine 38 {2:1 12:0} (fallback)"
  int64_t workspace_bytes = 0;
  bool fallback = false, compiled_at_run_time = false;
  bool from_heuristics = true;  // else chosen for an earlier size of the same layer
};

class PlannedDevice {
 public:
  // properties: JSON as cuDNN's CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION. Error{Device} where there is no
  // cuDNN, Error{Unsupported} where it is older than 9.8 and cannot do this.
  explicit PlannedDevice(const std::string& properties);
  ~PlannedDevice();

  // The best `limit` plans, those that are compiled at run time only where there is no other; empty where
  // cuDNN has none.
  std::vector<PlanSummary> plans(const ConvolutionSpec& spec, int64_t workspace_limit, size_t limit) const;

  // As a Convolution takes it: by what was chosen for an earlier size, else by the heuristics. Null where
  // cuDNN has none.
  std::optional<PlanSummary> plan(const ConvolutionSpec& spec, int64_t workspace_limit);

  std::string cudnn_version() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tyto::cuda
