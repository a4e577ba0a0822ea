// Tensors that are made from those of another source: under other names, a part of them, some computed from
// several.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "files/tensor_source.h"

namespace tyto {

class DerivedSource : public TensorSource {
 public:
  explicit DerivedSource(std::string origin) : origin_(std::move(origin)) {}

  // A tensor of a new name, last in the order. False where there is one of that name, which stays. One of a
  // foreign type is never read.
  bool add(const std::string& name, TensorSpec spec, std::function<Tensor()> read);
  // A tensor of `base` as it is.
  bool add(const std::string& name, const std::shared_ptr<const TensorSource>& base,
           const std::string& name_there);

  std::vector<std::string> names() const override { return names_; }
  std::optional<TensorSpec> find(const std::string& name) const override;
  Tensor read(const std::string& name) const override;
  std::string origin() const override { return origin_; }

 private:
  struct Entry {
    TensorSpec spec;
    std::function<Tensor()> read;
  };

  std::string origin_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace tyto
