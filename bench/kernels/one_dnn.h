// An operator that the CPU leaves to oneDNN, so that a kernel without a CPU twin has something beside it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/kernels/kernel_case.h"
#include "engine/graph/graph.h"

namespace tyto::bench {

// The operator of these named arrays, into another. What its own steps take counts, not the reorders around
// them.
CpuRun one_dnn(Arrays& arrays, const std::vector<std::string>& inputs, const std::string& output,
               const std::function<Value(Graph&, const std::vector<Value>&)>& build);

}  // namespace tyto::bench
