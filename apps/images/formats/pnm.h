// PBM, PGM and PPM, text and binary (P1..P6).
#pragma once

#include "apps/images/image_file.h"

namespace tyto::apps {

bool is_pnm(const ImageFile& file);

// Samples are scaled from 0..maximum to 0..255, and of a grey image whose maximum is beyond 255 to 16 bits,
// of which the high byte is taken. Error{Format}: truncated, damaged.
Image decode_pnm(const ImageFile& file);

}  // namespace tyto::apps
