// Where the values of a plan lie in one arena.
#pragma once

#include <cstdint>
#include <vector>

namespace tyto {

// A value's memory from the step that writes it to the last that reads it, both included.
struct Lifetime {
  int64_t bytes = 0;
  int first = 0, last = 0;
};

// Bytes at the step where most are alive, each value's rounded up to 64: no arena needs less.
int64_t most_alive(const std::vector<Lifetime>& values);

struct ArenaPlan {
  std::vector<int64_t> offsets;  // multiples of 64
  int64_t total = 0;             // bytes of the arena
  int64_t bound = 0;             // most_alive() of the values
};

// Largest first, each at the lowest offset that is free during its whole life (greedy by size; Pisarchyk and
// Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
ArenaPlan plan_arena(const std::vector<Lifetime>& values);

}  // namespace tyto
