// A random choice of n among candidates is the n of the smallest (priority, index): whoever wants another
// library's choice gives the priorities that make it.
#pragma once

#include <cstdint>

namespace tyto::kernels {

struct SampleOrder {
  const uint32_t* priorities = nullptr;  // one a candidate, as the function says; null: made from the seed
  // Candidate i of image b has then word i % 4 of Philox4x32-10 (Salmon et al., SC 2011) with the seed as key
  // (low word first) and the counter (i / 4, b, purpose, 0): anchor_targets' purpose is 0, proposal_targets'
  // 1. Give another seed in every step of a training.
  uint64_t seed = 0;
};

}  // namespace tyto::kernels
