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
  std::string
      foreign_type;  // where tyto has no such element type, its name ("C64", "qint8"): listed, never read
};

// "F32", or the foreign type's name.
inline std::string type_name(const TensorSpec& spec) {
  return spec.foreign_type.empty() ? std::string(name_of(spec.dtype)) : spec.foreign_type;
}

class TensorSource {
 public:
  virtual ~TensorSource() = default;
  virtual std::vector<std::string> names() const = 0;                         // in the file's order
  virtual std::optional<TensorSpec> find(const std::string& name) const = 0;  // nullopt where there is none
  // A fresh copy; thread-safe. Error{Unsupported} where its type is a foreign one.
  virtual Tensor read(const std::string& name) const = 0;
  virtual std::string origin() const = 0;  // the file's name, for messages
};

}  // namespace tyto
