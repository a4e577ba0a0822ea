// Tensors that someone made, as a network's inputs.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tyto/model.h"
#include "tyto/tensor.h"

namespace tyto::apps {

// Tensors of these shapes for these inputs, of the types that the network takes: F64, F16 and BF16 become
// F32, I64 becomes I32. read: gives a tensor by its name. Error{Usage} and Error{Shape} as
// check_input_shapes(); Error{Format} for another type, an integer that does not fit and a count beyond a
// sample's rows.
std::map<std::string, Tensor> raw_inputs(const std::vector<InputInfo>& inputs, const InputShapes& shapes,
                                         const std::function<Tensor(const std::string& name)>& read);

}  // namespace tyto::apps
