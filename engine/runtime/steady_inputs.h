// Which samples of a run differ from the run before in their steady inputs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/runtime/backend.h"

namespace tyto {

// Keeps the bytes of a graph's steady inputs from run to run.
class SteadyInputs {
 public:
  SteadyInputs() = default;  // of a graph that has none
  explicit SteadyInputs(const Graph& graph);

  // That they are split into: the fewest that one of them has. 0 where there is none.
  int64_t samples() const { return static_cast<int64_t>(changed_.size()); }

  // inputs: of a run, in the order of graph.inputs(). How many samples differ from those that were kept; now
  // these are.
  int64_t keep(std::span<const BoundInput> inputs);
  // [samples]: 1 where keep() found a difference, else 0. Stays where it is when this is moved.
  const int32_t* changed() const { return changed_.data(); }

  // What was kept is no longer what the prologue's results are of: all samples differ next time.
  void forget() { known_ = false; }

 private:
  struct Kept {
    size_t input;  // its place among the graph's
    int64_t rows;  // its first dimension
    std::vector<std::byte> bytes;
  };

  std::vector<Kept> kept_;
  std::vector<int32_t> changed_;
  bool known_ = false;
};

}  // namespace tyto
