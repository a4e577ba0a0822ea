// PNG, with libpng: every colour type and depth, interlaced or not; of an animation the default image.
#pragma once

#include <cstdint>
#include <span>

#include "apps/images/image_file.h"

namespace tyto::apps {

bool is_png(const ImageFile& file);

// Checks what PIL checks: the checksums of the chunks before the data, and the data's own; not those of the
// chunks behind. A file may end with its last pixel. Of 16 bits the high byte is taken. Error{Format}:
// truncated, damaged, with a critical chunk that no reader knows.
Image decode_png(const ImageFile& file);

std::span<const uint8_t> png_exif(const ImageFile& file);  // empty if there is none

}  // namespace tyto::apps
