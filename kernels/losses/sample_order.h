// A random choice of n among candidates is the n of the smallest (priority, index): whoever wants another
// library's choice gives the priorities that make it.
#pragma once

#include <cstdint>

namespace tyto::kernels {

struct SampleOrder {
  const uint32_t* priorities = nullptr;  // one a candidate, as the function says; null: made from the seed
  // Candidate i of image b has then word i % 4 of Philox4x32-10 (Salmon et al., SC 2011) with the seed as key
  // (low word first) and the counter (i / 4, b, purpose, 0): anchor_targets' purpose is 0, proposal_targets'
  // 1. Every step of a training wants another seed.
  uint64_t seed = 0;
};

// The label of every row of an image whose targets cannot be told. No loss takes it, so that the fault does
// not end there.
inline constexpr int32_t kNoLabel = INT32_MIN;

}  // namespace tyto::kernels
