// How well a set of tensors fits a network: its builder is run over them in probe mode, where misses are
// collected.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/networks/network.h"
#include "files/tensor_source.h"

namespace tyto {

// What a network's builder found in a set of tensors. Names of tensors are the source's.
struct Probed {
  std::string network;
  int found = 0;  // tensors that the builder asked for and got
  std::vector<std::string>
      missing;  // one phrase each: "'fc.weight' [any, 512] is missing (nearest: 'head.weight' [10, 512])"
  std::vector<std::string> unused;   // that the network neither uses nor expects to ignore
  std::vector<std::string> ignored;  // that it expects to ignore (counters, the classifier that is cut ...)
  std::vector<std::string> used;     // in the source's order
  Task task = Task::Raw;
  int64_t classes = 0;  // see NetworkOutputs
  bool matches() const { return missing.empty() && unused.empty(); }
};

// Error{Usage} for options that the network lacks.
Probed probe(const Network& network, const std::map<std::string, std::string>& options,
             const TensorSource& source);

// What may stand before a network's names in this source: "", where the tensor that the builder asks for
// first has another name before its own ("model.", "encoder_q."), and what all names have in common.
std::vector<std::string> prefixes(const Network& network, const std::map<std::string, std::string>& options,
                                  const TensorSource& source);

}  // namespace tyto
