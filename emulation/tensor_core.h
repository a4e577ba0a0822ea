// The twin of kernels/common/tensor_core.cuh, which says which lane holds what.
#pragma once

#include <vector_types.h>

#include <cstdint>

#include "emulation/observer.h"
#include "emulation/warp.h"
#include "emulation/where.h"

namespace emulation {

// Products and sums in fp32, the terms of a result in rising k; the hardware's order is its own.
void multiply(TensorOperands operands, float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2],
              Where where = Where::current());

unsigned to_tf32(float v);

// One lane's part in moving tiles from rows to registers.
struct TileRows {
  uint4 row{};        // of tile lane / 8, row lane % 8
  uint4 registers{};  // this lane's of each tile
};
void exchange_tiles(TileRows& lane, bool transposed, Where where);
void check_row(const void* row, Where where);

template <bool Transposed = false, int Tiles>
void load_tiles(unsigned (&tiles)[Tiles], const void* row, Where where = Where::current()) {
  static_assert(Tiles == 1 || Tiles == 2 || Tiles == 4);
  TileRows lanes;
  if (lane() < 8 * Tiles) {
    check_row(row, where);
    lanes.row = *static_cast<const uint4*>(row);
  }
  exchange_tiles(lanes, Transposed, where);
  const unsigned registers[] = {lanes.registers.x, lanes.registers.y, lanes.registers.z, lanes.registers.w};
  for (int i = 0; i < Tiles; ++i) tiles[i] = registers[i];
}

}  // namespace emulation
