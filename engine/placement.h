// Where the values of a plan lie in one arena.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tyto/tensor.h"

namespace tyto {

// Error{Memory} for a layer's result that no memory holds, before its size in bytes is computed.
void check_size(const std::string& layer, const Shape& result);

// A value's memory from the step that writes it to the last that reads it, both included.
struct Lifetime {
  int64_t bytes = 0;
  int first = 0, last = 0;
};

struct Placement {
  std::vector<int64_t> offsets;  // multiples of 64
  int64_t total = 0;             // bytes of the arena
  int64_t bound = 0;             // the most that is alive at one step: no placement needs less
};

// Largest first, each at the lowest offset that is free during its whole life (greedy by size; Pisarchyk and
// Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
Placement place(const std::vector<Lifetime>& values);

}  // namespace tyto
