// Image files to 8-bit RGB.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "tyto/image.h"

namespace tyto::apps {

// JPEG, PNG, WebP, BMP, TIFF and PNM as PIL's Image.open(path).convert("RGB") gives them: grey in all three
// channels, palettes looked up, alpha dropped. Of 16-bit samples the high byte is taken; CMYK JPEG is
// converted by OpenCV. EXIF orientation is ignored unless asked for. Error{File} where the file cannot be
// read; Error{Format} "NAME: not an image (...)" for one that is empty, truncated, damaged, of another format
// or beyond kMaxPixels. Thread-safe.
Image decode(const std::filesystem::path& path, bool apply_exif_orientation = false);

// The same from the bytes of a file, called `name` in messages.
Image decode_bytes(std::span<const std::byte> file, const std::string& name,
                   bool apply_exif_orientation = false);

}  // namespace tyto::apps
