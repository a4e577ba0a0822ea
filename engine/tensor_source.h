// Named tensors that are read one at a time: a model file, a checkpoint, a map in a test.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tyto/tensor.h"

namespace tyto {

struct TensorSpec {
  DType dtype = DType::F32;
  Shape shape;
};

class TensorSource {
 public:
  virtual ~TensorSource() = default;
  virtual std::vector<std::string> names() const = 0;                         // in the file's order
  virtual std::optional<TensorSpec> find(const std::string& name) const = 0;  // nullopt where there is none
  virtual Tensor read(const std::string& name) const = 0;                     // a fresh copy; thread-safe
  virtual std::string origin() const = 0;                                     // the file's name, for messages
};

}  // namespace tyto
