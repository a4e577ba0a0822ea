// GIF, with giflib: the first frame.
#pragma once

#include "apps/images/image_file.h"

namespace tyto::apps {

bool is_gif(const ImageFile& file);

// The canvas as PIL gives it: the first frame, around it the transparent colour or else colour 0. Error{Format}:
// truncated, damaged, no frame. giflib reads on over codes that stand for nothing yet, which PIL refuses: a damaged frame
// may have wrong pixels.
Image decode_gif(const ImageFile& file);

}  // namespace tyto::apps
