// How a block of CUDA threads shares the points of its cells.
#pragma once

#include <cstdint>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

inline constexpr int kPoolThreads = 512;
inline constexpr int kPoolCells = 16;                     // neighbours, of one block
inline constexpr int kPieceRows = 8;                      // of a run, read at once by a group of lanes
inline constexpr int kLaneChannels = 8;                   // of a lane
inline constexpr int kPoolChannels = 32 * kLaneChannels;  // of a block, at most

// Lanes that share a piece: a row of channels, and a weight each.
TYTO_HOST_DEVICE constexpr int lanes_of_group(int channels) {
  const int lanes = (channels + kLaneChannels - 1) / kLaneChannels;
  return lanes < kPieceRows ? kPieceRows : lanes;
}
TYTO_HOST_DEVICE constexpr int groups_of_block(int lanes) { return kPoolThreads / 32 * (32 / lanes); }

// The pieces that a group takes of so many: those of group g begin at g times this.
TYTO_HOST_DEVICE constexpr int pieces_of_group(int pieces, int groups) {
  return (pieces + groups - 1) / groups;
}

TYTO_HOST_DEVICE constexpr int pieces_of_run(int rows) { return (rows + kPieceRows - 1) / kPieceRows; }

}  // namespace tyto::kernels
