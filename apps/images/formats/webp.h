// WebP, with libwebp: lossy and lossless; of an animation the first frame.
#pragma once

#include <cstdint>
#include <span>

#include "apps/images/image_file.h"

namespace tyto::apps {

bool is_webp(const ImageFile& file);
Image decode_webp(const ImageFile& file);                   // Error{Format}: truncated, damaged
std::span<const uint8_t> webp_exif(const ImageFile& file);  // empty if there is none

}  // namespace tyto::apps
