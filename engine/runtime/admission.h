// Whether a plan can be had, told from its graph's shapes before a library is asked for anything: the
// libraries count in 32 bits here and there, and die of sizes that no machine holds.
#pragma once

#include <cstdint>
#include <string>

#include "engine/graph/graph.h"
#include "tyto/plan.h"

namespace tyto {

// Memory that something may take.
struct Room {
  int64_t bytes = 0;
  std::string whose;  // "this machine has 24064 MiB", "the limit of 2 MiB (--memory-limit) leaves 1 MiB": for
                      // messages
};

// `room`, or what a limit (0: none) on all that is held leaves beside `held` bytes, where that is less.
Room limited(const Room& room, int64_t limit, int64_t held);

// Of what a run hands out.
int64_t output_bytes(const Graph& graph, Precision precision);

// The least that any plan of the graph takes for its values: the most bytes that are alive at one layer, the
// input apart.
int64_t least_activation_bytes(const Graph& graph, Precision precision);

// A graph whose lowering may begin. Error{Memory} says what does not fit, where, and what to do.
class Admission {
 public:
  // `memory` is all that the device has, of which `room` is left for this plan; `beside` bytes are taken
  // whatever the lowering does (outputs, staging). Error{Unsupported} names a layer whose images are beyond
  // what libraries count.
  Admission(const Graph& graph, Precision precision, int64_t beside, Room memory, const Room& room);

  // Asked for every value that lowering makes of sizes that are not in the graph (a copy with a border, rows
  // as an image), before they are described to a library.
  void value(const std::string& layer, const Shape& shape, DType type, Kind kind) const;

  // Asked for the finished plan, when its copies and scratch are known, and `room` with its weights.
  void plan(int64_t bytes, const Room& room) const;

 private:
  void check_least(int64_t bytes, const Node& largest, const Room& room) const;
  // `needs` in words: "12 MiB".
  void check(int64_t bytes, const std::string& needs, const Room& room) const;

  std::string plan_;   // "the fp32 plan for [8, 3, 256, 128]"
  int64_t batch_ = 1;  // of the input
  Room memory_;
};

}  // namespace tyto
