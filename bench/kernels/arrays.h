// The arrays of one case, in the memory of the device that runs it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/common/channel_blocks.h"
#include "kernels/common/nhwc.h"
#include "tyto/tensor.h"

namespace tyto::bench {

// A map as the kernels of either device take it: on CUDA channels stand together and both halves are true; on
// the CPU, where they stand in oneDNN's blocks, `blocks` alone is.
template <class T>
struct Map {
  kernels::ChannelBlocks<T> blocks;
  kernels::Nhwc<T> nhwc;

  int64_t elements() const { return nhwc.elements(); }
};

// The same numbers in 0..1 on every run.
std::vector<float> numbers(int64_t count);
std::vector<uint8_t> noise(int64_t bytes);

// Arrays live as long as this. Those with names are what is saved.
class Arrays {
 public:
  virtual ~Arrays() = default;

  template <class T>
  const T* input(const std::string& name, const Shape& shape, const std::vector<T>& values) {
    return reinterpret_cast<const T*>(keep(name, Tensor::of<T>(shape, values), std::nullopt));
  }
  // A map [n, channels, height, width], given so.
  Map<const float> input_map(const std::string& name, const Shape& shape, const std::vector<float>& values);

  template <class T>
  T* output(const std::string& name, const Shape& shape) {
    return reinterpret_cast<T*>(keep(name, Tensor::zeros(dtype_of<T>(), shape), std::nullopt));
  }
  Map<float> output_map(const std::string& name, const Shape& shape);

  void* scratch(int64_t bytes);  // aligned to 64 bytes

  // A named array on the CPU: itself, and of a map a copy [n, channels, height, width].
  Tensor plain(const std::string& name) const;
  // What plain() gave was written to; a map becomes like its copy.
  void written(const std::string& name, const Tensor& plain);
  std::vector<std::string> names() const;
  // All of them, in a safetensors file.
  void save(const std::filesystem::path& file) const;

 protected:
  // Where the device has the tensor's values: the tensor itself on the CPU.
  virtual void* place(Tensor& tensor) = 0;
  virtual int64_t channel_block(int64_t channels) const = 0;

 private:
  struct Named {
    std::string name;
    Tensor tensor;
    std::optional<kernels::ChannelBlocks<float>> map;
  };

  void* keep(const std::string& name, Tensor tensor, const std::optional<kernels::ChannelBlocks<float>>& map);
  kernels::ChannelBlocks<float> blocks_of(const Shape& shape) const;

  const Named& named(const std::string& name) const;

  std::vector<Named> named_;
  std::vector<Tensor> scratch_;
};

}  // namespace tyto::bench
