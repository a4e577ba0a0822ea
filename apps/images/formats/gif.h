// GIF: the first frame. Not by giflib, which goes on over codes that no code precedes and gives a damaged
// file wrong pixels without a word.
#pragma once

#include "apps/images/image_file.h"

namespace tyto::apps {

bool is_gif(const ImageFile& file);

// The canvas as PIL gives it: the first frame, around it the transparent colour or else colour 0.
// Error{Format}: truncated, damaged, no frame.
Image decode_gif(const ImageFile& file);

}  // namespace tyto::apps
