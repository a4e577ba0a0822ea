// Element types as PyTorch names them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tyto/tensor.h"

namespace tyto {

struct ElementType {
  std::string_view name;       // "float32", "complex64"; lives forever
  int64_t bytes = 1;           // of one element
  std::optional<DType> dtype;  // absent where tyto has no such type: the tensor can be listed, not read

  bool operator==(const ElementType&) const = default;
};

// Of "torch.FloatStorage", "torch.cuda.HalfStorage", "torch.storage.UntypedStorage" (single bytes).
std::optional<ElementType> storage_element_type(std::string_view global);
// Of "torch.float32" as _rebuild_tensor_v3 names it.
std::optional<ElementType> dtype_element_type(std::string_view global);

}  // namespace tyto
