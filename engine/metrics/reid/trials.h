// Several evaluations by one protocol: trials on drawn galleries, or splits of a data set.
#pragma once

#include <functional>
#include <span>

#include "engine/metrics/reid/evaluation.h"

namespace tyto {

// The mean of every measure and of every point of the CMC; a trial with fewer gallery images than another
// keeps its last value. Numbers of queries and images are the largest of the trials'. trials: at least one
Evaluation mean_of(std::span<const Evaluation> trials);

struct Spread {
  double mean = 0;
  double deviation = 0;  // standard deviation of the sample (divisor n - 1); 0 for one trial
  double min = 0, max = 0;
};

Spread spread_of(std::span<const Evaluation> trials, const std::function<double(const Evaluation&)>& measure);

}  // namespace tyto
