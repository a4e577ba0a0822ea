// Tensors in memory as a source, for graphs that no file stands behind.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "files/tensor_source.h"

namespace tyto {

class MemorySource : public TensorSource {
 public:
  MemorySource(std::vector<std::pair<std::string, Tensor>> tensors, std::string origin = "memory")
      : tensors_(std::move(tensors)), origin_(std::move(origin)) {}

  std::vector<std::string> names() const override {
    std::vector<std::string> out;
    for (const auto& [name, tensor] : tensors_) out.push_back(name);
    return out;
  }
  std::optional<TensorSpec> find(const std::string& name) const override {
    for (const auto& [n, tensor] : tensors_)
      if (n == name) return TensorSpec{tensor.dtype(), tensor.shape()};
    return std::nullopt;
  }
  Tensor read(const std::string& name) const override {
    for (const auto& [n, tensor] : tensors_)
      if (n == name) return tensor.clone();
    throw Error(ErrorKind::Format, origin_ + " has no tensor '" + name + "'");
  }
  std::string origin() const override { return origin_; }

 private:
  std::vector<std::pair<std::string, Tensor>> tensors_;
  std::string origin_;
};

}  // namespace tyto
