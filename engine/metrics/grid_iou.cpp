#include "engine/metrics/grid_iou.h"

#include <string>

#include "tyto/error.h"

namespace tyto {

double GridOverlap::iou() const {
  return in_either() == 0 ? -1 : static_cast<double>(intersection) / static_cast<double>(in_either());
}

GridOverlap& GridOverlap::operator+=(const GridOverlap& other) {
  intersection += other.intersection;
  predicted += other.predicted;
  labelled += other.labelled;
  return *this;
}

GridOverlap grid_overlap(std::span<const float> logits, std::span<const uint8_t> labels, float threshold) {
  if (logits.size() != labels.size())
    throw Error(ErrorKind::Shape, "grid_overlap: " + std::to_string(logits.size()) + " logits and " +
                                      std::to_string(labels.size()) + " labels");
  GridOverlap overlap;
  for (size_t i = 0; i < logits.size(); ++i) {
    const bool predicted = logits[i] > threshold, labelled = labels[i] != 0;
    overlap.intersection += predicted && labelled;
    overlap.predicted += predicted;
    overlap.labelled += labelled;
  }
  return overlap;
}

}  // namespace tyto
