#include "apps/raw_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/networks/inputs.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

// A tensor as an input of this type.
Tensor converted(const Tensor& tensor, DType type, const std::string& name) {
  const DType given = tensor.dtype();
  if (given == type) return tensor;
  if (type == DType::F32 && (given == DType::F64 || given == DType::F16 || given == DType::BF16))
    return tensor.to_f32();
  if (type != DType::I32 || given != DType::I64)
    throw Error(ErrorKind::Format,
                fmt::format("'{}' is {}, but the network takes {}", name, name_of(given), name_of(type)));
  Tensor narrow(DType::I32, tensor.shape());
  std::ranges::transform(tensor.as<int64_t>(), narrow.as<int32_t>().begin(), [&](int64_t value) {
    if (!std::in_range<int32_t>(value))
      throw Error(ErrorKind::Format, fmt::format("'{}' holds {}, which does not fit into I32", name, value));
    return static_cast<int32_t>(value);
  });
  return narrow;
}

// Layers read as many rows as a count says.
void check_counts(const Tensor& counts, int64_t rows, const std::string& name) {
  for (const int32_t count : counts.as<int32_t>())
    if (count < 0 || count > rows)
      throw Error(ErrorKind::Format,
                  fmt::format("'{}' holds {}, but a sample has 0 to {} rows", name, count, rows));
}

}  // namespace

std::map<std::string, Tensor> raw_inputs(const std::vector<InputInfo>& inputs, const InputShapes& shapes,
                                         const std::function<Tensor(const std::string&)>& read) {
  check_input_shapes(inputs, shapes);
  std::map<std::string, Tensor> tensors;
  for (const InputInfo& input : inputs) {
    const auto take = [&](const std::string& name, DType type) {
      tensors.emplace(name, converted(read(name), type, name));
    };
    take(input.name, input.type);
    if (!input.counted) continue;
    const std::string count = input.name + kCountSuffix;
    take(count, DType::I32);
    check_counts(tensors.at(count), input.sample[0], count);
  }
  return tensors;
}

}  // namespace tyto::apps
