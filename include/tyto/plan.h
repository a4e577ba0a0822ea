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
struct Preprocessing;

enum class Precision { Fp32, Tf32, Fp16, Bf16 };
std::string name_of(Precision);                // "fp32"
Precision precision_from(const std::string&);  // Error{Usage}

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
  };
  std::vector<Step> steps;
  int64_t activation_bytes = 0;  // the arena
  int64_t activation_bound = 0;  // no arena can be smaller: the most bytes alive at one step
  int64_t workspace_bytes = 0;   // scratch memory of the libraries
  int64_t output_bytes = 0;      // the outputs of a run
  int64_t weight_bytes = 0;      // packed
};

// How long a plan's steps take, for `tyto run --profile`: medians over several runs.
struct PlanProfile {
  std::vector<double> step_ms;  // of PlanReport::steps, in their order
  double outside_ms = 0;  // of such a run, outside of its steps: copies to and from a GPU, launches, waits
  double run_ms = 0;      // of a run whose steps are not timed; a GPU's is one captured graph
};

// A plan serves one thread at a time. After construction a run allocates nothing.
class Plan {
 public:
  // input: [N, 3, H, W]. Error{Shape} names the layer that does not fit, Error{Memory} says how much was
  // asked for.
  Plan(const Model& model, Context& context, const Shape& input, const PlanOptions& options = {});
  ~Plan();
  Plan(Plan&&) noexcept;

  const Shape& input_shape() const { return input_shape_; }
  const Shape& output_shape(const std::string& name) const;  // Error{Usage} if the plan does not compute it

  // input: F32 of the plan's shape. The outputs (F32, by name) are the plan's own and live until its next
  // run.
  const std::map<std::string, Tensor>& run(const Tensor& input);

  // The same in two halves, so that a GPU copies one batch while it computes another. Up to in_flight()
  // inputs may be submitted before the first is collected; the caller leaves each one unchanged until then.
  // Outputs come in the order of the inputs.
  void submit(const Tensor& input);
  const std::map<std::string, Tensor>& collect();  // Error{Usage} if nothing was submitted
  int in_flight() const;

  // Whether the device can preprocess images itself, which a pipeline then leaves to it.
  bool preprocesses() const;

  const PlanReport& report() const;

  // Runs so many times with each step timed by itself (a GPU's by events, outside of its captured graph) and
  // as often without, in turns. Of several GPUs the first is timed. Error{Usage} where repeats < 1 or inputs
  // wait.
  PlanProfile profile(const Tensor& input, int repeats);

 private:
  friend Plan plan_graph(const Graph& graph, Context& context, Precision precision);
  friend std::vector<Geometry> submit_images(Plan& plan, std::span<const Image> images,
                                             const Preprocessing& rule);

  Plan(const Graph& graph, Context& context, Precision precision);
  void check_room() const;  // Error{Usage} where as many wait as may be in flight
  void check_idle() const;  // Error{Usage} where any waits
  void check_input(const Tensor& input) const;

  Shape input_shape_;
  std::unique_ptr<Executable> executable_;
  std::map<std::string, Tensor> outputs_;
  int waiting_ = 0;  // submitted and not collected
};

}  // namespace tyto
