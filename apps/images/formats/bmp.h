// BMP: Windows' and OS/2's bitmaps of 1, 4, 8, 16, 24 and 32 bits a pixel, with masks or run lengths.
#pragma once

#include "apps/images/image_file.h"

namespace tyto::apps {

bool is_bmp(const ImageFile& file);
bool is_dib(const ImageFile& file);  // a BMP without the file header, as .dib files may be

// Error{Format}: truncated, or a header, depth, compression or masks that PIL does not open, either.
Image decode_bmp(const ImageFile& file);

}  // namespace tyto::apps
