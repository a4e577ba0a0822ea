// Recognises tensors among pickled values, in every way that PyTorch has pickled them.
#pragma once

#include <optional>
#include <string>

#include "weights_converter/checkpoint/archive.h"

namespace tyto {

struct TensorValue {
  StoredTensor tensor;
  // Where it can be listed, not read: the name of its type ("complex64", "qint8", "sparse"); of `tensor` the
  // shape alone counts then, as far as it is known.
  std::string foreign_type;
};

bool is_tensor(const Archive& archive, const PickleValue& value);

// The tensor or numpy array that `value` stands for, its place checked against its storage; nullopt where it
// is no tensor. Error{Format} naming `where`.
std::optional<TensorValue> tensor_from(const Archive& archive, const PickleValue& value,
                                       const std::string& where);

}  // namespace tyto
