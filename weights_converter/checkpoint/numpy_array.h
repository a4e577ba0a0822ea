// Recognises numpy arrays among pickled values. Their elements stand in the pickle itself.
#pragma once

#include <optional>
#include <string>

#include "weights_converter/checkpoint/archive.h"
#include "weights_converter/checkpoint/tensor_value.h"

namespace tyto {

// Arrays, not numpy's scalars, which checkpoints hold as numbers beside the weights.
bool is_numpy_array(const PickleValue& value);

// The array as a tensor; nullopt where `value` is none. Of a type that tyto lacks, or of which the pickle
// does not hold plain elements, it can be listed only. Error{Format} naming `where` where shape, type and
// bytes contradict one another.
std::optional<TensorValue> numpy_array_from(const Archive& archive, const PickleValue& value,
                                            const std::string& where);

}  // namespace tyto
