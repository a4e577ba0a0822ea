// The bytes of an image file, and what every decoder does with them: reads integers, or refuses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tyto/image.h"

namespace tyto::apps {

inline constexpr int64_t kMaxPixels = int64_t{1} << 28;  // of one image
inline constexpr uint64_t kMaxImageFileBytes = uint64_t{1} << 30;

// Reading past the end is Error{Format}: the file is truncated.
class ImageFile {
 public:
  // Refers to `name` and `format`, which messages hold: "NAME: not an image (truncated FORMAT at byte N)".
  ImageFile(std::span<const std::byte> bytes, const std::string& name, const char* format)
      : bytes_(bytes), name_(name), format_(format) {}

  size_t size() const { return bytes_.size(); }
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(bytes_.data()); }
  uint32_t u8(size_t at) const {
    if (at >= bytes_.size()) truncated();
    return std::to_integer<uint32_t>(bytes_[at]);
  }
  uint32_t be16(size_t at) const { return u8(at) << 8 | u8(at + 1); }
  uint32_t be32(size_t at) const { return be16(at) << 16 | be16(at + 2); }
  uint32_t le16(size_t at) const { return u8(at) | u8(at + 1) << 8; }
  uint32_t le32(size_t at) const { return le16(at) | le16(at + 2) << 16; }
  bool has(std::string_view text, size_t at = 0) const;  // false where the file ends before
  std::span<const uint8_t> part(size_t at, size_t bytes) const;

  // Of the size that a header declares, black. Error{Format}: no pixels, or more than kMaxPixels.
  Image new_image(int64_t width, int64_t height) const;
  void check_size(int64_t width, int64_t height) const;

  [[noreturn]] void refuse(const std::string& why) const;  // Error{Format} "NAME: not an image (WHY)"
  [[noreturn]] void truncated() const;

 private:
  std::span<const std::byte> bytes_;
  const std::string& name_;
  const char* format_;
};

}  // namespace tyto::apps
