// Finds the named tensors in what torch.save was given.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "weights_converter/checkpoint/archive.h"
#include "weights_converter/checkpoint/tensor_value.h"

namespace tyto {

struct StateDict {
  std::string path;  // keys that led to it, "" for the top level, "model.state_dict"
  std::vector<std::string> stripped_prefixes;                // "module.", in the order taken off
  std::vector<std::pair<std::string, TensorValue>> tensors;  // in the file's order
  std::vector<std::pair<std::string, std::string>>
      scalars;  // numbers and short texts beside it: "epoch", "24"
};

// Takes prefixes 'module.' and '_orig_mod.' off where every name has them; returns those, outermost first.
std::vector<std::string> strip_prefixes(std::span<std::string* const> names);

// A dict of tensors at the top level or under one of the usual keys, or the parameters and persistent buffers
// of a pickled torch.nn.Module, found without running its code. Prefixes are taken off. Error{Format} names
// the keys seen where there is no such thing.
StateDict find_state_dict(const Archive& archive, const std::string& origin);

}  // namespace tyto
