// How long a video file says it is.
#pragma once

#include <cstdint>
#include <optional>

#include "files/file.h"

namespace tyto::apps {

// The bytes that AVI (by its RIFF chunks) or Matroska and WebM (by their segment) should have; nothing where
// the file is of another kind or does not say, as a recording that was not finished. FFmpeg takes a file that
// was cut off between two frames for one that ends there.
std::optional<uint64_t> container_length(const File& file);

}  // namespace tyto::apps
