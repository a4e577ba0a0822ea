#include "apps/bev/grid_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "apps/bev/array_file.h"
#include "apps/images/decode.h"
#include "apps/outputs.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& found, const Shape& wanted) {
  throw Error(ErrorKind::Shape,
              fmt::format("{} has labels of {}, but the maps are {}; label the grid that the network has",
                          file.string(), found, wanted.str()));
}

Tensor from_array(const std::filesystem::path& file, const Shape& shape) {
  const Tensor array = read_array(file, "labels").to_f32();
  const bool fits = array.shape() == shape || (shape[0] == 1 && array.shape() == Shape{shape[1], shape[2]});
  if (!fits) refuse(file, array.shape().str(), shape);
  Tensor labels(DType::U8, shape);
  std::ranges::transform(array.as<float>(), labels.as<uint8_t>().begin(),
                         [](float value) { return static_cast<uint8_t>(value != 0); });
  return labels;
}

Tensor from_picture(const std::filesystem::path& file, const Shape& shape) {
  const Image image = decode(file);
  if (image.height != shape[0] * shape[1] || image.width != shape[2])
    refuse(file, fmt::format("{} x {} pixels", image.width, image.height), shape);
  Tensor labels(DType::U8, shape);
  const std::span<uint8_t> cells = labels.as<uint8_t>();
  for (size_t i = 0; i < cells.size(); ++i) {
    const uint8_t* pixel = image.rgb.data() + 3 * i;
    cells[i] = (pixel[0] | pixel[1] | pixel[2]) != 0;
  }
  return labels;
}

}  // namespace

std::optional<Tensor> read_labels(const std::filesystem::path& folder, const std::string& id, int64_t classes,
                                  int64_t rows, int64_t columns) {
  const std::filesystem::path stem = folder / safe_file_name(id);
  const Shape shape = {classes, rows, columns};
  if (const auto array = find_array(stem)) return from_array(*array, shape);
  if (const std::filesystem::path picture = stem.string() + ".png"; std::filesystem::exists(picture))
    return from_picture(picture, shape);
  return std::nullopt;
}

std::vector<std::string> labelled_samples(const std::filesystem::path& folder) {
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::filesystem::path& file = entry.path();
    if (file.extension() == ".png" || is_array_file(file)) names.insert(file.stem().string());
  }
  if (error)
    throw Error(ErrorKind::File, fmt::format("{}: cannot read: {}", folder.string(), error.message()));
  return {names.begin(), names.end()};
}

}  // namespace tyto::apps
