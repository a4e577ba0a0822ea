#include "bench/kernels/arrays.h"

#include <algorithm>

#include "files/safetensors.h"

namespace tyto::bench {
namespace {

template <class T>
Map<T> map_of(const kernels::ChannelBlocks<T>& b) {
  return {b, {b.data, b.n, b.height, b.width, b.channels}};
}

// Calls visit(index in [n, channels, height, width], index in the blocks).
template <class Visit>
void for_each_value(const kernels::ChannelBlocks<float>& b, const Visit& visit) {
  int64_t plain = 0;
  for (int64_t i = 0; i < b.n; ++i)
    for (int64_t c = 0; c < b.channels; ++c)
      for (int64_t pixel = 0; pixel < b.area(); ++pixel)
        visit(plain++, i * b.image_stride + (c / b.block) * b.block_stride + pixel * b.block + c % b.block);
}

}  // namespace

std::vector<float> numbers(int64_t count) {
  std::vector<float> v(static_cast<size_t>(count));
  uint32_t state = 1;
  for (float& x : v) x = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24f;
  return v;
}

std::vector<uint8_t> noise(int64_t bytes) {
  std::vector<uint8_t> v(static_cast<size_t>(bytes));
  uint32_t state = 1;
  for (uint8_t& b : v) b = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  return v;
}

kernels::ChannelBlocks<float> Arrays::blocks_of(const Shape& shape) const {
  kernels::ChannelBlocks<float> b{nullptr, shape[0], shape[1], shape[2], shape[3]};
  b.block = channel_block(b.channels);
  b.block_stride = b.area() * b.block;
  b.image_stride = b.blocks() * b.block_stride;
  return b;
}

void* Arrays::keep(const std::string& name, Tensor tensor,
                   const std::optional<kernels::ChannelBlocks<float>>& map) {
  named_.push_back({name, std::move(tensor), map});
  return place(named_.back().tensor);
}

Map<const float> Arrays::input_map(const std::string& name, const Shape& shape,
                                   const std::vector<float>& values) {
  auto b = blocks_of(shape);
  Tensor blocked = Tensor::zeros(DType::F32, {b.n * b.image_stride});
  const auto to = blocked.as<float>();
  for_each_value(b, [&](int64_t plain, int64_t at) {
    to[static_cast<size_t>(at)] = values[static_cast<size_t>(plain)];
  });
  b.data = static_cast<float*>(keep(name, std::move(blocked), b));
  return map_of(kernels::as_const(b));
}

Map<float> Arrays::output_map(const std::string& name, const Shape& shape) {
  auto b = blocks_of(shape);
  b.data = static_cast<float*>(keep(name, Tensor::zeros(DType::F32, {b.n * b.image_stride}), b));
  return map_of(b);
}

void* Arrays::scratch(int64_t bytes) {
  scratch_.emplace_back(DType::U8, Shape{std::max<int64_t>(bytes, 1)});
  return place(scratch_.back());
}

const Arrays::Named& Arrays::named(const std::string& name) const {
  return *std::find_if(named_.begin(), named_.end(), [&](const Named& array) { return array.name == name; });
}

std::vector<std::string> Arrays::names() const {
  std::vector<std::string> names;
  for (const Named& array : named_) names.push_back(array.name);
  return names;
}

void Arrays::written(const std::string& name, const Tensor& plain) {
  if (!named(name).map) return;
  Tensor tensor = named(name).tensor;  // shares the memory
  const auto to = tensor.as<float>();
  const auto from = plain.as<float>();
  for_each_value(*named(name).map, [&](int64_t index, int64_t at) {
    to[static_cast<size_t>(at)] = from[static_cast<size_t>(index)];
  });
}

Tensor Arrays::plain(const std::string& name) const {
  const Named& array = named(name);
  if (!array.map) return array.tensor;
  const auto& b = *array.map;
  Tensor tensor(DType::F32, {b.n, b.channels, b.height, b.width});
  const auto to = tensor.as<float>();
  const auto from = array.tensor.as<float>();
  for_each_value(
      b, [&](int64_t index, int64_t at) { to[static_cast<size_t>(index)] = from[static_cast<size_t>(at)]; });
  return tensor;
}

void Arrays::save(const std::filesystem::path& file) const {
  std::vector<std::pair<std::string, Tensor>> tensors;
  SafetensorsWriter::Declared declared;
  for (const std::string& name : names()) {
    tensors.emplace_back(name, plain(name));
    const Tensor& tensor = tensors.back().second;
    declared.emplace_back(name, TensorSpec{tensor.dtype(), tensor.shape(), ""});
  }
  SafetensorsWriter writer(file, declared, {});
  for (const auto& [name, tensor] : tensors) writer.append(name, tensor);
  writer.commit({});
}

}  // namespace tyto::bench
