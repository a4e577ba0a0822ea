#include "apps/images/image_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "tyto/error.h"

namespace tyto::apps {

bool ImageFile::has(std::string_view text, size_t at) const {
  return at + text.size() <= bytes_.size() &&
         std::equal(text.begin(), text.end(), data() + at, [](char a, uint8_t b) { return uint8_t(a) == b; });
}

std::span<const uint8_t> ImageFile::part(size_t at, size_t bytes) const {
  if (bytes > bytes_.size() || at > bytes_.size() - bytes) truncated();
  return {data() + at, bytes};
}

void ImageFile::check_size(int64_t width, int64_t height) const {
  if (width < 1 || height < 1) refuse("it declares no pixels");
  if (width > kMaxPixels / height)
    refuse(fmt::format("it declares {} x {} pixels; the limit is {}", width, height, kMaxPixels));
}

Image ImageFile::new_image(int64_t width, int64_t height) const {
  check_size(width, height);
  return {static_cast<int>(width), static_cast<int>(height),
          std::vector<uint8_t>(static_cast<size_t>(width * height) * 3)};
}

void ImageFile::refuse(const std::string& why) const {
  throw Error(ErrorKind::Format, fmt::format("{}: not an image ({})", name_, why));
}

void ImageFile::truncated() const { refuse(fmt::format("truncated {} at byte {}", format_, bytes_.size())); }

}  // namespace tyto::apps
