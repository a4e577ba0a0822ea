// Which network a set of tensors belongs to: every builder is run over it in probe mode, where misses are collected.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/tensor_source.h"

namespace tyto {

// What a network's builder found in a set of tensors.
struct Recognition {
  std::string network;
  int found = 0;  // tensors that the builder asked for and got
  std::vector<std::string>
      missing;  // one phrase each: "'fc.weight' [any, 512] is missing; nearest: 'head.weight' [10, 512]"
  std::vector<std::string> unused;  // names that the network neither uses nor expects to ignore
  std::vector<std::string>
      ignored;  // names that it expects to ignore (counters, the classifier that is cut ...)
  std::vector<std::string> used;  // in the source's order
  int64_t classes = 0;   // of the output `logits`, a detector's background included; 0: there is none
  bool detects = false;  // there is an output `detections`
  bool matches() const { return missing.empty() && unused.empty(); }
};

// How a network fails to fit, in one phrase that names the first few tensors.
std::string difference(const Recognition& recognition);

// Runs one builder, collecting what it misses.
Recognition probe(const std::string& network, const std::map<std::string, std::string>& options,
                  const TensorSource& source);

// The one network that fits, or the one named (Error{Usage} if there is none of the name). Error{Format} where several fit,
// or none: the sentence lists the nearest and how they differ. With `allow_unused` tensors may be left over.
Recognition recognise(const TensorSource& source, const std::optional<std::string>& network,
                      const std::map<std::string, std::string>& options, bool allow_unused);

}  // namespace tyto
