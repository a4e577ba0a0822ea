// What a device must offer: compile a graph, run what was compiled.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/graph/graph.h"
#include "tyto/plan.h"

namespace tyto {

// A compiled graph. Memory is taken when it is made; run() allocates nothing.
class Executable {
 public:
  virtual ~Executable() = default;
  // input and outputs: host tensors, F32, row-major; outputs by the graph's names.
  virtual void run(const Tensor& input, std::map<std::string, Tensor>& outputs) = 0;
  virtual const PlanReport& report() const = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::unique_ptr<Executable> compile(const Graph& graph, Precision precision) = 0;
  virtual std::vector<std::pair<std::string, std::string>> describe() const = 0;
};

std::unique_ptr<Backend> make_cpu_backend(int threads, int64_t memory_limit);

}  // namespace tyto
