// How a network's builder asks for its tensors; the builder is the only list of a network's weights.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "files/tensor_source.h"

namespace tyto {

inline constexpr int64_t any = -1;  // a size that the file decides, at least 1

// A tensor with its real shape, whose values are read when a backend packs them.
class Weight {
 public:
  // owner: what the values come from; with the key it identifies them, so that plans can share what they
  // packed.
  Weight(std::shared_ptr<const void> owner, std::string key, Shape shape, std::function<Tensor()> load)
      : owner_(std::move(owner)), key_(std::move(key)), shape_(std::move(shape)), load_(std::move(load)) {}

  const std::shared_ptr<const void>& owner() const { return owner_; }
  const std::string& key() const { return key_; }
  const Shape& shape() const { return shape_; }
  int64_t dim(size_t i) const { return shape_[i]; }
  Tensor load() const { return load_(); }  // F32; Error{Format} names the tensor if a value is not finite

 private:
  std::shared_ptr<const void> owner_;
  std::string key_;
  Shape shape_;
  std::function<Tensor()> load_;
};

// A weight that no checkpoint holds.
Weight constant(const std::string& name, const Tensor& values);

// The value of a weight [1]. Error{Format} names the weight where it is not positive.
float positive_number(const Weight& weight);

// Whether a tensor is of a type that can be read and of these sizes.
bool fits(const TensorSpec& spec, const std::vector<int64_t>& dims);

// What a probe met: tensors that the builder asked for in vain, and those it found.
struct Probe {
  struct Request {
    std::string name;
    std::vector<int64_t> dims;
  };
  struct Miss {
    std::string name;
    std::string wanted;  // "[any, 512, 3, 3]"
    std::string found;   // the shape that is there instead, and the type if that is at fault; or empty
  };
  std::optional<Request> first;  // what the builder asked for before all else
  std::vector<Miss> misses;
  std::set<std::string> used;
  std::set<std::string> expected_unused;  // stored by the training code, not needed to run
};

// A view of a source's tensors under a prefix.
class Weights {
 public:
  // With a probe, a miss is collected and answered by a weight of plausible shape; without, it is an
  // Error{Format}.
  explicit Weights(std::shared_ptr<const TensorSource> source, Probe* probe = nullptr)
      : source_(std::move(source)), probe_(probe) {}

  Weight operator()(const std::string& name, const std::vector<int64_t>& dims) const;
  bool has(const std::string& name) const;
  Weights scope(const std::string& name) const;
  const std::string& path() const { return prefix_; }  // "layer1.0.", empty at the top

  // Tensors under this prefix that the network does not need: "fc.weight", or "fc." for all below.
  void expect_unused(const std::string& name_or_prefix) const;

 private:
  std::shared_ptr<const TensorSource> source_;
  Probe* probe_ = nullptr;
  std::string prefix_;
};

}  // namespace tyto
