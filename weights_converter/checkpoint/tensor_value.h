// Recognises tensors among pickled values, in every way that PyTorch has pickled them.
#pragma once

#include <optional>
#include <string>

#include "weights_converter/checkpoint/archive.h"

namespace tyto {

struct TensorValue {
  StoredTensor tensor;
  std::string unsupported;  // why it cannot be read ("made by torch._utils._rebuild_qtensor"), else empty
};

bool is_tensor(const Archive& archive, const PickleValue& value);

// The tensor that `value` stands for, its place checked against its storage; nullopt where it is no tensor.
// Error{Format} naming `where`.
std::optional<TensorValue> tensor_from(const Archive& archive, const PickleValue& value,
                                       const std::string& where);

}  // namespace tyto
