// A network compiled for one device, precision and input shape.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tyto/context.h"
#include "tyto/image.h"
#include "tyto/model.h"
#include "tyto/tensor.h"

namespace tyto {

class Executable;
class Graph;
struct RunInputs;

enum class Precision { Fp32, Tf32, Fp16, Bf16 };
std::string name_of(Precision);                // "fp32"
Precision precision_from(const std::string&);  // Error{Usage}

// How activations and weights stand in memory; tf32 is how F32 is multiplied.
inline DType activation_type(Precision precision) {
  return precision == Precision::Fp16 ? DType::F16 : precision == Precision::Bf16 ? DType::BF16 : DType::F32;
}

struct PlanOptions {
  Precision precision = Precision::Fp32;   // Error{Unsupported} if the device lacks it
  std::vector<std::string> outputs;        // the plan computes only these; empty: all that the network names
  std::map<std::string, std::string> set;  // overrides the network options of the model file
};

// What a plan does, for `tyto inspect --plan`. Sizes in bytes.
struct PlanReport {
  struct Step {
    std::string name, operation, algorithm, layout;
    Shape shape;
    // What the step has to do at least: floating-point operations, of which a multiply-add is two (Winograd's
    // algorithm gets by with fewer), and each value and weight once.
    double flop = 0;
    int64_t bytes_read = 0, bytes_written = 0;
    bool prologue = false;  // runs only when a steady input (see InputInfo) is not that of the run before
  };
  std::vector<Step> steps;
  int64_t activation_bytes = 0;  // the arena
  int64_t activation_bound = 0;  // no arena can be smaller: the most bytes alive at one step
  int64_t workspace_bytes = 0;   // scratch memory of the libraries
  int64_t output_bytes = 0;      // the outputs of a run
  int64_t weight_bytes = 0;      // packed
  int64_t prologue_bytes = 0;    // results of the prologue's steps, which stay from run to run
};

// How long a plan's steps take, for `tyto run --profile`: medians over several runs.
struct PlanProfile {
  std::vector<double> step_ms;  // of PlanReport::steps, in their order; the prologue's of all samples
  double outside_ms = 0;  // of such a run, outside of its steps: copies to and from a GPU, launches, waits
  double run_ms = 0;      // of a run whose steps are not timed, and whose steady inputs are those of the run
                          // before; a GPU's is one captured graph
  double changed_run_ms =
      0;  // of one whose steady inputs differ in every sample; 0 where there is no prologue
};

// One of a plan's inputs or outputs: row-major, N samples first. Inputs are F32, which no precision rounds,
// or I32; outputs these or activation_type(precision). Where a sample has up to shape[1] rows and may have
// fewer, `count` names the input or output, I32 [N], that says how many; what stands in the others means
// nothing.
struct TensorInfo {
  std::string name;
  DType type = DType::F32;
  Shape shape;
  std::string count;  // or empty
};

// A plan serves one thread at a time. After construction a run allocates nothing.
class Plan {
 public:
  // inputs: shapes by name, as of Model::input_shapes(). Error{Shape} names the layer that does not fit,
  // Error{Memory} says how much was asked for, Error{Usage} names an input that the network has not, or that
  // is missing.
  Plan(const Model& model, Context& context, const InputShapes& inputs, const PlanOptions& options = {});
  ~Plan();
  Plan(Plan&&) noexcept;

  const std::vector<TensorInfo>& inputs() const { return inputs_; }
  const std::vector<TensorInfo>& outputs() const { return output_infos_; }
  const Shape& output_shape(const std::string& name) const;  // Error{Usage} if the plan does not compute it

  // A tensor for each input, by its name; one alone where the plan has one input. The outputs are the plan's
  // own and live until its next run. Error{Usage} names an input that is missing or not there, Error{Shape}
  // one that does not fit.
  const std::map<std::string, Tensor>& run(const std::map<std::string, Tensor>& inputs);
  const std::map<std::string, Tensor>& run(const Tensor& input);

  // The same in two halves, so that a GPU copies one batch while it computes another. Up to in_flight() runs
  // may be submitted before the first is collected; the caller leaves their tensors unchanged until then.
  // Outputs come in the order of the inputs.
  void submit(const std::map<std::string, Tensor>& inputs);
  void submit(const Tensor& input);
  const std::map<std::string, Tensor>& collect();  // Error{Usage} if nothing was submitted
  int in_flight() const;
  int waiting() const { return waiting_; }  // submitted and not collected

  const PlanReport& report() const;

  // Samples for which the prologue's steps ran, in all runs: those of which a steady input differed from the
  // run before on the same device.
  int64_t prologue_samples() const;

  // Runs so many times with each step timed by itself (a GPU's by events, outside of its captured graph) and
  // as often without, in turns. Of several GPUs the first is timed. Error{Usage} where repeats < 1 or inputs
  // wait.
  PlanProfile profile(const std::map<std::string, Tensor>& inputs, int repeats);

 private:
  friend Plan plan_graph(const Graph& graph, Context& context, Precision precision);
  friend void submit(Plan& plan, const RunInputs& inputs);

  Plan(const Graph& graph, Context& context, Precision precision);
  void check_room() const;  // Error{Usage} where as many wait as may be in flight
  void check_idle() const;  // Error{Usage} where any waits
  void submit_bound();

  struct Bound;  // what the inputs of the run that is being submitted are

  std::unique_ptr<Executable> executable_;
  std::vector<TensorInfo> inputs_, output_infos_;
  std::unique_ptr<Bound> bound_;
  std::map<std::string, Tensor> outputs_;
  int waiting_ = 0;  // submitted and not collected
};

}  // namespace tyto
