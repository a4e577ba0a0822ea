// What planning would have cost with cuDNN.
#pragma once

#include <cstdint>

namespace tyto::cuda {

// How often the heuristics of cuDNN would have been asked by this process.
int64_t heuristics_asked();

}  // namespace tyto::cuda
