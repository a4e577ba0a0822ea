#include "bench/kernels/one_dnn.h"

#include <omp.h>

#include <map>
#include <memory>
#include <utility>

#include "engine/runtime/backend.h"

namespace tyto::bench {
namespace {

// Whether a step only moves what others compute.
bool moves(const PlanReport::Step& step) { return step.operation == "reorder" || step.operation == "output"; }

struct Compiled {
  std::unique_ptr<Backend> cpu;
  std::unique_ptr<Executable> executable;
  std::vector<Tensor> inputs;
  std::map<std::string, Tensor> outputs;
};

}  // namespace

CpuRun one_dnn(Arrays& arrays, const std::vector<std::string>& inputs, const std::string& output,
               const std::function<Value(Graph&, const std::vector<Value>&)>& build) {
  const auto it = std::make_shared<Compiled>();
  Graph graph;
  std::vector<Value> values;
  for (const std::string& name : inputs) {
    const Tensor& tensor = it->inputs.emplace_back(arrays.plain(name));
    values.push_back(tensor.shape().rank() == 4 ? graph.image_input(name, tensor.shape())
                                                : graph.rows_input(name, tensor.shape()));
  }
  graph.output(output, build(graph, values));
  it->outputs.emplace(output, arrays.plain(output));
  it->cpu = make_cpu_backend(omp_get_max_threads(), 0);
  it->executable = it->cpu->compile(graph, Precision::Fp32);
  return [it, output, &arrays, first = true]() mutable {
    std::vector<BoundInput> bound;
    for (const Tensor& tensor : it->inputs) bound.emplace_back(&tensor);
    const std::vector<double> milliseconds = it->executable->time_steps(bound, it->outputs);
    double seconds = 0;
    for (size_t i = 0; i < milliseconds.size(); ++i)
      if (!moves(it->executable->report().steps[i])) seconds += milliseconds[i] / 1e3;
    if (std::exchange(first, false)) arrays.written(output, it->outputs.at(output));
    return seconds;
  };
}

}  // namespace tyto::bench
