// How many images a launch of the suite Profile works on. One is enough to count sectors; a GPU is busy with
// more, and times say nothing until it is.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace tyto::kernels {

// TYTO_PROFILE_BATCH, or 1.
inline int64_t profile_batch() {
  const char* batch = std::getenv("TYTO_PROFILE_BATCH");
  return batch ? std::atoll(batch) : 1;
}

}  // namespace tyto::kernels
