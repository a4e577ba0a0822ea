// JPEG, with libjpeg: baseline and progressive, Huffman and arithmetic coding, 8 bits; grey, RGB, YCbCr, CMYK
// and YCCK.
#pragma once

#include <cstdint>
#include <span>

#include "apps/images/image_file.h"

namespace tyto::apps {

bool is_jpeg(const ImageFile& file);

// CMYK is taken to be inverted, as Adobe's programs write it and PIL reads it. A picture that is whole is
// read where its end marker is missing, or something follows it. Error{Format}: truncated, damaged, 12 bits,
// lossless, hierarchical.
Image decode_jpeg(const ImageFile& file);

std::span<const uint8_t> jpeg_exif(const ImageFile& file);  // empty if there is none

}  // namespace tyto::apps
