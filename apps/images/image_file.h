// What an image file's bytes say before they are decoded: format, size, and whether the file is whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tyto::apps {

inline constexpr int64_t kMaxPixels = int64_t{1} << 28;  // of one image
inline constexpr uint64_t kMaxImageFileBytes = uint64_t{1} << 30;

enum class ImageFormat : uint8_t { Jpeg, Png, WebP, Bmp, Tiff, Pnm };

struct ImageHeader {
  ImageFormat format = ImageFormat::Jpeg;
  int64_t width = 0, height = 0;
};

// JPEG is walked marker by marker to its end, PNG chunk by chunk with checksums, and a WebP's length is
// compared, for OpenCV turns a truncated JPEG into a partly grey picture without a word. Error{Format}:
// "NAME: not an image (...)" for another format, a truncated or damaged file, and more than kMaxPixels.
ImageHeader read_image_header(std::span<const std::byte> file, const std::string& name);

// A PNG, checked as above, without the chunks that do not change its pixels (colour profiles that libpng
// would complain about, text); the EXIF chunk stays.
std::vector<std::byte> essential_png(std::span<const std::byte> file);

}  // namespace tyto::apps
