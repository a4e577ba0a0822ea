// The rules of the operators that detectors end in.
#pragma once

#include <vector>

#include "engine/graph/node_view.h"

namespace tyto {

struct DetectionShapes : NodeView {
  Result operator()(const ConcatMaps& op) const;
  Result operator()(const DecodeBoxes& op) const;
  Result operator()(const ClassScores& op) const;
  std::vector<Result> operator()(const Nms& op) const;
  std::vector<Result> operator()(const DecodeProposals& op) const;
  Result operator()(const RoiPool& op) const;
  Result operator()(const RoiAlign& op) const;
  Result operator()(const DecodeRois& op) const;

 private:
  void sizes(size_t i, int64_t samples) const;  // what the kernels of two-stage detectors read of the images
  const Shape& rois(size_t i) const;
  Result pooled_rois(int height, int width, const kernels::RoiLevels& levels) const;
};

}  // namespace tyto
