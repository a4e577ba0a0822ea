#include "engine/cuda/weights.h"

#include <algorithm>
#include <cmath>

#include "engine/cuda/element_type.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

constexpr float kMaxHalf = 65504;  // IEEE half's greatest finite value

template <class T>
std::shared_ptr<const DeviceBuffer> to_device(const std::vector<T>& values) {
  auto buffer = std::make_shared<DeviceBuffer>(static_cast<int64_t>(values.size() * sizeof(T)));
  if (values.empty()) return buffer;
  check(cudaMemcpy(buffer->data(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice),
        "copy weights to the GPU");
  // From memory that is not page-locked, the call may return while the last of it is on its way, and our
  // streams do not wait for the default one.
  check(cudaStreamSynchronize(nullptr), "copy weights to the GPU");
  return buffer;
}

}  // namespace

DeviceWeights::Buffer DeviceWeights::upload(const std::vector<float>& values, DType type) {
  Buffer buffer;
  with_element_type(type,
                    [&]<class T>() { buffer = to_device(std::vector<T>(values.begin(), values.end())); });
  return buffer;
}

DeviceWeights::Buffer DeviceWeights::get(const Weight& weight, const std::string& layout, DType type,
                                         const std::function<std::vector<float>()>& values) {
  const auto [begin, end] = entries_.equal_range(weight.key());
  for (auto it = begin; it != end; ++it)
    if (it->second.owner == weight.owner() && it->second.layout == layout && it->second.type == type)
      if (Buffer buffer = it->second.buffer.lock()) return buffer;
  const std::vector<float> converted = values();
  if (type == DType::F16 &&
      std::any_of(converted.begin(), converted.end(), [](float v) { return std::abs(v) > kMaxHalf; }))
    throw Error(ErrorKind::Unsupported,
                "weights '" + weight.key() +
                    "' exceed 65504, the most that fp16 holds; use --precision bf16, tf32 or fp32");
  Buffer buffer = upload(converted, type);
  entries_.emplace(weight.key(), Entry{weight.owner(), layout, type, buffer});
  return buffer;
}

void DeviceWeights::forget_unused() {
  std::erase_if(entries_, [](const auto& e) { return e.second.buffer.expired(); });
}

int64_t DeviceWeights::bytes() const {
  int64_t sum = 0;
  for (const auto& [key, entry] : entries_)
    if (const Buffer buffer = entry.buffer.lock()) sum += buffer->bytes();
  return sum;
}

}  // namespace tyto::cuda
