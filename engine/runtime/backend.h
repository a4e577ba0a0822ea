// What a device must offer: compile a graph, run what was compiled.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/graph/graph.h"
#include "tyto/context.h"
#include "tyto/plan.h"

namespace tyto {

// A compiled graph. Memory is taken when it is made; a run allocates nothing.
class Executable {
 public:
  virtual ~Executable() = default;

  // Takes a run's input and hands out its outputs: host tensors, F32, row-major; outputs by the graph's
  // names. Up to in_flight() inputs may be waiting to be collected, in the order in which they came; each
  // stays unchanged until then.
  virtual void submit(const Tensor& input) = 0;
  virtual void collect(std::map<std::string, Tensor>& outputs) = 0;
  virtual int in_flight() const = 0;

  // Whether it takes images, too; see Plan, which checks them.
  virtual bool preprocesses() const { return false; }
  virtual std::vector<Geometry> submit_images(std::span<const Image>, const Preprocessing&) {
    throw Error(ErrorKind::Unsupported, "this device takes preprocessed inputs alone");
  }

  virtual const PlanReport& report() const = 0;

  // submit() and collect() with nothing else waiting, and how many milliseconds each step of the report took.
  virtual std::vector<double> time_steps(const Tensor& input, std::map<std::string, Tensor>& outputs) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::unique_ptr<Executable> compile(const Graph& graph, Precision precision) = 0;
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
