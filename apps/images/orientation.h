// EXIF's orientation: how a camera was held.
#pragma once

#include <cstdint>
#include <span>

#include "tyto/image.h"

namespace tyto::apps {

// 1..8 as in the first directory of an EXIF block ("II" or "MM" onwards, with or without "Exif\0\0" before
// it); 1, upright, where the block says nothing, is empty or damaged.
int exif_orientation(std::span<const uint8_t> exif);

// Turned and mirrored so that it stands upright.
Image upright(Image image, int orientation);

}  // namespace tyto::apps
