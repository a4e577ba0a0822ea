// Tensors that have shapes, and values only where building a graph needs them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "files/tensor_source.h"
#include "tyto/error.h"

namespace tyto {

class ShapesOnly : public TensorSource {
 public:
  explicit ShapesOnly(std::map<std::string, Shape> shapes = {}) : shapes_(std::move(shapes)) {}
  void add(const std::string& name, const Shape& shape) { shapes_[name] = shape; }
  void add(const std::string& name, const Shape& shape, const std::vector<float>& values) {
    add(name, shape);
    values_.emplace(name, Tensor::of<float>(shape, values));
  }
  bool has_values() const { return !values_.empty(); }

  std::vector<std::string> names() const override {
    std::vector<std::string> out;
    for (const auto& [name, shape] : shapes_) out.push_back(name);
    return out;
  }
  std::optional<TensorSpec> find(const std::string& name) const override {
    const auto it = shapes_.find(name);
    return it == shapes_.end() ? std::nullopt : std::optional(TensorSpec{DType::F32, it->second});
  }
  Tensor read(const std::string& name) const override {
    const auto it = values_.find(name);
    if (it == values_.end()) throw Error(ErrorKind::File, "never read");
    return it->second.clone();
  }
  std::string origin() const override { return "shapes"; }

 private:
  std::map<std::string, Shape> shapes_;
  std::map<std::string, Tensor> values_;
};

}  // namespace tyto
