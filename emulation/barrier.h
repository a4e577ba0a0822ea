// Barriers and fences.
#pragma once

#include "emulation/where.h"

namespace emulation {

struct BarrierVotes {
  int arrived = 0, in_favour = 0;
};
BarrierVotes block_barrier(const char* operation, bool vote, Where where);

}  // namespace emulation

inline void __syncthreads(emulation::Where where = emulation::Where::current()) {
  emulation::block_barrier("__syncthreads", false, where);
}
inline int __syncthreads_or(int vote, emulation::Where where = emulation::Where::current()) {
  return emulation::block_barrier("__syncthreads_or", vote != 0, where).in_favour != 0;
}
inline int __syncthreads_and(int vote, emulation::Where where = emulation::Where::current()) {
  const emulation::BarrierVotes votes = emulation::block_barrier("__syncthreads_and", vote != 0, where);
  return votes.in_favour == votes.arrived;
}
inline int __syncthreads_count(int vote, emulation::Where where = emulation::Where::current()) {
  return emulation::block_barrier("__syncthreads_count", vote != 0, where).in_favour;
}

// Threads run one at a time and see each other's writes at once; what a missing fence does, the emulation
// cannot show.
inline void __threadfence_block() {}
inline void __threadfence() {}
inline void __threadfence_system() {}
