// Which pixel padding takes, on either device.
#pragma once

#include <stdexcept>

#include "kernels/common/host_device.h"
#include "kernels/layout/pad.h"

namespace tyto::kernels {

// A map's row or column for position `at`, which may lie outside of its `size`; -1 for a zero.
template <class Index>
TYTO_HOST_DEVICE inline Index padded_from(Index at, Index size, PadMode mode) {
  if (at >= 0 && at < size) return at;
  if (mode == PadMode::Zeros) return -1;
  if (mode == PadMode::Replicate) return at < 0 ? 0 : size - 1;
  return at < 0 ? -at : 2 * (size - 1) - at;
}

// Of one axis, whose y begins `before` positions before the map.
inline void check_border(int64_t before, int64_t size, int64_t out_size, PadMode mode) {
  if (mode == PadMode::Zeros || out_size == 0) return;
  const int64_t widest = mode == PadMode::Reflect ? size - 1 : INT64_MAX;
  if (size < 1 || before > widest || out_size - before - size > widest)
    throw std::invalid_argument(
        "a border that is reflected must be thinner than the map, one that is "
        "replicated needs a pixel");
}

}  // namespace tyto::kernels
