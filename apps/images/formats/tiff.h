// TIFF and BigTIFF, with libtiff: the first picture.
#pragma once

#include "apps/images/image_file.h"

namespace tyto::apps {

bool is_tiff(const ImageFile& file);

// Grey, indexed, RGB, CMYK and YCbCr pictures of unsigned samples, whatever the compression, turned as their
// orientation tag says. Alpha is dropped, and divided out where the colours were multiplied with it; of 16
// bits the high byte is taken. Error{Format}: truncated, damaged, or other samples and colours (floating
// point, 12 and 32 bits, CIE Lab), which PIL does not open or has no white for.
Image decode_tiff(const ImageFile& file);

}  // namespace tyto::apps
