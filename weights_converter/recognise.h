// Which network a checkpoint holds, under which of its keys and behind which prefix of its names.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "weights_converter/checkpoint/checkpoint.h"
#include "weights_converter/probe.h"

namespace tyto {

// What the caller knows; the rest is found.
struct Wanted {
  std::optional<std::string> network;
  std::optional<std::string> key;          // of the dict of tensors, as Checkpoint names it
  std::optional<std::string> prefix;       // of the names, with or without its last dot; all else is left out
  std::map<std::string, std::string> set;  // the network's options
  bool allow_unused = false;               // tensors may be left over
};

struct Recognition : Probed {
  std::string key, prefix;
  std::vector<std::string> outside;             // names that the caller's prefix leaves out
  std::vector<std::string> wrappers;            // that were taken out of names
  std::shared_ptr<const TensorSource> tensors;  // without prefix: what `used` names
};

// The one network that fits. Error{Usage} for a network, key or prefix that is not there. Error{Format} where
// several fit (the sentence says what chooses) or none (it lists the nearest and how they differ).
Recognition recognise(const Checkpoint& checkpoint, const std::string& origin, const Wanted& wanted);

}  // namespace tyto
