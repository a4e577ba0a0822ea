// What a device must offer: compile a graph, run what was compiled.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/images/preprocessing_rule.h"
#include "tyto/context.h"
#include "tyto/plan.h"

namespace tyto {

// Images for one of a plan's inputs F32 [rows, 3, height, width], preprocessed by the rule, whose size is the
// input's; at most as many as it has rows, of which the others are zero.
struct ImageBatch {
  std::span<const Image> images;
  const Preprocessing* rule = nullptr;
};

// What a run is given for one input: a host tensor of its type and shape, or images.
using BoundInput = std::variant<const Tensor*, ImageBatch>;

struct RunInputs : std::map<std::string, BoundInput> {  // by name
  using map::map;
};

// Tensors for what a run of the graph hands out.
std::map<std::string, Tensor> output_tensors(const Graph& graph, Precision precision);

// A compiled graph. Memory is taken when it is made; a run allocates nothing.
class Executable {
 public:
  virtual ~Executable() = default;

  // Takes a run's inputs, in the order of graph.inputs(), and hands out its outputs into output_tensors().
  // The runs of up to in_flight() may be waiting to be collected, in the order in which they came; tensors
  // stay unchanged until then, images may go when the call returns.
  virtual void submit(std::span<const BoundInput> inputs) = 0;
  virtual void collect(std::map<std::string, Tensor>& outputs) = 0;
  virtual int in_flight() const = 0;

  virtual const PlanReport& report() const = 0;

  // See Plan. The prologue's results are kept from run to run; forget_prologue() has the next run compute
  // them for all samples.
  virtual int64_t prologue_samples() const = 0;
  virtual void forget_prologue() = 0;

  // submit() and collect() with nothing else waiting, the prologue included, and how many milliseconds each
  // step of the report took.
  virtual std::vector<double> time_steps(std::span<const BoundInput> inputs,
                                         std::map<std::string, Tensor>& outputs) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::unique_ptr<Executable> compile(const Graph& graph, Precision precision) = 0;
  virtual int in_flight() const = 0;  // of each executable
  virtual bool preprocesses()
      const = 0;  // whether executables take images, which a pipeline then leaves to them
  virtual std::vector<std::pair<std::string, std::string>> describe() const = 0;
  virtual Peaks measure_peaks(Precision precision) = 0;  // see Context
};

inline Backend& backend_of(Context& context) { return *context.backend_; }

std::unique_ptr<Backend> make_cpu_backend(int threads, int64_t memory_limit);

// The GPUs that the driver shows; 0 where there is no driver. A build without CUDA has none of these three.
int count_gpus();
std::vector<std::pair<std::string, std::string>> describe_cuda();  // see describe_gpus() of tyto/context.h

// The GPU of that number. Error{Device} says what is missing.
std::unique_ptr<Backend> make_cuda_backend(int device, const ContextOptions& options);

}  // namespace tyto
