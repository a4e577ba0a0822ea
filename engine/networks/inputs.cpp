#include "engine/networks/inputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/images/image_fit.h"
#include "kernels/detection/boxes.h"

namespace tyto {
namespace {

// "F32 [N, 3, 3]", "images [N * 6, 3, H, W]"
std::string described(const InputInfo& input) {
  if (input.is_images())
    return input.views == 1 ? "images [N, 3, H, W]" : fmt::format("images [N * {}, 3, H, W]", input.views);
  std::string sizes = "N";
  for (const int64_t size : input.sample) sizes += fmt::format(", {}", size);
  return fmt::format("{} [{}]", name_of(input.type), sizes);
}

bool fits(const InputInfo& input, const Shape& given) {
  if (given.rank() != input.sample.rank() + 1 || given[0] < 1 || given[0] % input.views != 0) return false;
  if (input.is_images()) return given[1] == 3 && given[2] >= 1 && given[3] >= 1;
  return std::equal(input.sample.begin(), input.sample.end(), given.begin() + 1);
}

std::vector<std::string> names_of(const InputShapes& shapes) {
  std::vector<std::string> names;
  for (const auto& [name, shape] : shapes) names.push_back(name);
  return names;
}

const Shape& given_for(const std::string& name, const std::string& what, const InputShapes& shapes) {
  const auto it = shapes.find(name);
  if (it == shapes.end())
    throw Error(ErrorKind::Usage, fmt::format("the network's input '{}', {}, is missing", name, what));
  return it->second;
}

void check_samples(const std::string& name, int64_t samples, int64_t wanted) {
  if (samples != wanted)
    throw Error(ErrorKind::Shape,
                fmt::format("the input '{}' holds {} samples, another one {}", name, samples, wanted));
}

}  // namespace

InputInfo image_input(const Preprocessing& rule, const std::string& name, int views) {
  const NetworkSize size = nominal_size(rule);
  return {name, DType::F32, {3, size.height, size.width}, to_json(rule), views};
}

InputInfo tensor_input(const std::string& name, DType type, const Shape& sample, bool counted) {
  InputInfo input{name, type, sample};
  input.counted = counted;
  return input;
}

InputInfo steady_input(const std::string& name, const Shape& sample) {
  InputInfo input = tensor_input(name, DType::F32, sample);
  input.steady = true;
  return input;
}

InputInfo sizes_input(const std::string& image, const std::string& name) {
  InputInfo input = tensor_input(name, DType::F32, {kernels::kSizesRow});
  input.sizes_of = image;
  return input;
}

Tensor sizes_of_whole_images(int64_t samples, int64_t height, int64_t width) {
  std::vector<float> rows;
  for (int64_t i = 0; i < samples; ++i)
    for (const int64_t side : {height, width, height, width}) rows.push_back(static_cast<float>(side));
  return Tensor::of<float>({samples, kernels::kSizesRow}, rows);
}

InputShapes input_shapes(const std::vector<InputInfo>& inputs, int64_t batch) {
  InputShapes shapes;
  for (const InputInfo& input : inputs) {
    std::vector<int64_t> sizes = {batch * input.views};
    sizes.insert(sizes.end(), input.sample.begin(), input.sample.end());
    shapes.emplace(input.name, Shape(std::move(sizes)));
    if (input.counted) shapes.emplace(input.name + kCountSuffix, Shape{batch});
  }
  return shapes;
}

void check_input_shapes(const std::vector<InputInfo>& inputs, const InputShapes& shapes) {
  const InputShapes known = input_shapes(inputs, 1);
  for (const auto& [name, shape] : shapes)
    if (!known.contains(name))
      throw Error(ErrorKind::Usage, fmt::format("the network has no input '{}'; it has {}", name,
                                                fmt::join(names_of(known), ", ")));
  int64_t samples = 0;
  for (const InputInfo& input : inputs) {
    const Shape& given = given_for(input.name, described(input), shapes);
    if (!fits(input, given))
      throw Error(ErrorKind::Shape, fmt::format("the network takes '{}' as {}, not {}", input.name,
                                                described(input), given.str()));
    if (samples == 0) samples = given[0] / input.views;
    check_samples(input.name, given[0] / input.views, samples);
    if (!input.counted) continue;
    const std::string count = input.name + kCountSuffix;
    const Shape& counts = given_for(count, "I32 [N]", shapes);
    if (counts.rank() != 1)
      throw Error(ErrorKind::Shape,
                  fmt::format("the network takes '{}' as I32 [N], not {}", count, counts.str()));
    check_samples(count, counts[0], samples);
  }
}

Inputs declare_inputs(Graph& graph, const std::vector<InputInfo>& inputs, const InputShapes& shapes) {
  check_input_shapes(inputs, shapes);
  Inputs values;
  for (const InputInfo& input : inputs)
    values.emplace(input.name, graph.input(input.name, shapes.at(input.name),
                                           input.type == DType::I32 ? Elements::I32 : Elements::F32,
                                           input.counted, input.steady));
  return values;
}

}  // namespace tyto
