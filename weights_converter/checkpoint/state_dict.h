// Finds the named tensors in what torch.save was given.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "weights_converter/checkpoint/archive.h"
#include "weights_converter/checkpoint/tensor_value.h"

namespace tyto {

struct StateDict {
  // The keys that lead to it: "" for the top level, "model.state_dict", "[1]" for the second of a list.
  std::string key;
  std::vector<std::pair<std::string, TensorValue>>
      tensors;  // in the file's order, names as the file has them
};

// Every dict of tensors, under whatever keys and in whatever lists and objects, and the parameters and
// persistent buffers of every pickled torch.nn.Module, found without running its code. The one with most
// tensors first; those with an eighth of its tensors or less are what lies beside networks (an optimiser's
// moments, the best loss) and left out. Error{Format} says what is there where there is no such thing.
std::vector<StateDict> find_state_dicts(const Archive& archive, const std::string& origin);

// See Checkpoint::scalars().
std::vector<std::pair<std::string, std::string>> scalars_of(const Archive& archive);

}  // namespace tyto
