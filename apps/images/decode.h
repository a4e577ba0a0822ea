// Image files to 8-bit RGB.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "tyto/image.h"

namespace tyto::apps {

// JPEG, PNG, WebP, GIF, BMP, TIFF and PNM as PIL's Image.open(path).convert("RGB") gives them: grey in all
// three channels, palettes looked up, alpha dropped, the first frame of many; of 16-bit grey the high byte is
// taken. TIFF's orientation is applied, EXIF's unless asked for is not. Error{File} where the file cannot be
// read; Error{Format} "NAME: not an image (...)" for one that is empty, truncated, damaged, of another
// format, of a kind that its decoder refuses, or beyond kMaxPixels; Error{Memory}. Prints nothing.
// Thread-safe.
Image decode(const std::filesystem::path& path, bool apply_exif_orientation = false);

// The same from the bytes of a file, called `name` in messages.
Image decode_bytes(std::span<const std::byte> file, const std::string& name,
                   bool apply_exif_orientation = false);

}  // namespace tyto::apps
