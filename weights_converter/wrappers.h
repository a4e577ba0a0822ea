// The names that wrappers of modules leave in a state_dict.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "files/tensor_source.h"

namespace tyto {

// Takes 'module' (DataParallel, AveragedModel), '_orig_mod' (torch.compile), '_fsdp_wrapped_module' and
// '_checkpoint_wrapped_module' out of a dotted name, wherever they stand but last. `seen`: those met, with a
// dot, each once.
std::string without_wrappers(std::string_view name, std::vector<std::string>& seen);

// The tensors under their names without wrappers. Where two would have one name, both keep what they have.
std::shared_ptr<const TensorSource> without_wrappers(std::shared_ptr<const TensorSource> tensors,
                                                     std::vector<std::string>& seen);

}  // namespace tyto
