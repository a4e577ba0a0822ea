#include "python/native/image_run.h"

#include <fmt/format.h>

#include "apps/images/decode.h"
#include "files/json.h"

namespace tyto::python {
namespace {

constexpr int kMostDecoders = 1024;  // as of the command

Image copied(const tyto_python_image& from) {
  Image image{from.width, from.height, {}};
  const size_t row = size_t{3} * static_cast<size_t>(from.width);
  image.rgb.reserve(row * static_cast<size_t>(from.height));
  for (int32_t y = 0; y < from.height; ++y) {
    const uint8_t* const begin = from.rgb + y * from.row_bytes;
    image.rgb.insert(image.rgb.end(), begin, begin + row);
  }
  return image;
}

}  // namespace

HandedImages::HandedImages(const tyto_python_image* images, int64_t count, bool apply_exif_orientation)
    : apply_exif_orientation_(apply_exif_orientation) {
  for (int64_t i = 0; i < count; ++i) items_.push_back({images[i].path ? images[i].path : "", images[i]});
}

std::optional<Image> HandedImages::read(int64_t index) {
  if (static_cast<size_t>(index) >= items_.size()) return std::nullopt;
  const Item& item = items_[static_cast<size_t>(index)];
  return item.path.empty() ? copied(item.pixels) : apps::decode(item.path, apply_exif_orientation_);
}

std::string HandedImages::name(int64_t index) const {
  const Item& item = items_[static_cast<size_t>(index)];
  return item.path.empty() ? fmt::format("image {}", index) : item.path.string();
}

apps::BatchOptions batch_options(const CallOptions& options, int batch) {
  const int decoders = static_cast<int>(options.integer("decoders", 0, 0, kMostDecoders));
  return {.batch = batch, .decoders = decoders > 0 ? decoders : apps::usual_decoders()};
}

std::string skipped_json(const std::vector<apps::Skipped>& skipped) {
  if (skipped.empty()) return "";
  auto list = nlohmann::ordered_json::array();
  for (const apps::Skipped& image : skipped)
    list.push_back({image.index, static_cast<int>(image.kind), image.message});
  return dump_json(list);
}

}  // namespace tyto::python
