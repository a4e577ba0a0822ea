// One warp's tensor-core tiles: c += a b for 16 x 8 results, and loads that bring tiles from shared memory
// into the registers where the product wants them. All 32 lanes call together. sm_80 on.
//
// Which lane holds what (PTX ISA, "Matrix Fragments"), with g = lane / 4 and t = lane % 4:
//   c [16][8]           c[0], c[1]: row g, columns 2t, 2t + 1;  c[2], c[3]: row g + 8, the same columns
//   a [16][16] 16-bit   a[0]: row g, columns 2t, 2t + 1;  a[1]: row g + 8;  a[2], a[3]: as these, columns + 8
//   b [16][8]  16-bit   b[0]: rows 2t, 2t + 1 of column g;  b[1]: rows + 8
//   a [16][8]  tf32     a[0]: row g, column t;  a[1]: row g + 8;  a[2], a[3]: as these, column + 4
//   b [8][8]   tf32     b[0]: row t, column g;  b[1]: row t + 4
// Of two 16-bit elements the first stands in the lower half.
#pragma once

#include "kernels/common/cuda.h"
#include "kernels/common/element_types.h"
#ifdef TYTO_EMULATED
#include "emulation/tensor_core.h"
#endif

namespace tyto::kernels {

// T: Half or BFloat16.
template <class T>
__device__ __forceinline__ void multiply_16x8x16(float (&c)[4], const unsigned (&a)[4],
                                                 const unsigned (&b)[2]);

#ifdef TYTO_EMULATED

template <>
inline void multiply_16x8x16<Half>(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  emulation::multiply(emulation::TensorOperands::Fp16, c, a, b);
}
template <>
inline void multiply_16x8x16<BFloat16>(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  emulation::multiply(emulation::TensorOperands::Bf16, c, a, b);
}
inline void multiply_16x8x8_tf32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  emulation::multiply(emulation::TensorOperands::Tf32, c, a, b);
}
using emulation::load_tiles;
using emulation::to_tf32;

#else

#define TYTO_MULTIPLY(instruction)                                                            \
  asm volatile(instruction " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                               \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
template <>
__device__ __forceinline__ void multiply_16x8x16<Half>(float (&c)[4], const unsigned (&a)[4],
                                                       const unsigned (&b)[2]) {
  TYTO_MULTIPLY("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32");
}
template <>
__device__ __forceinline__ void multiply_16x8x16<BFloat16>(float (&c)[4], const unsigned (&a)[4],
                                                           const unsigned (&b)[2]) {
  TYTO_MULTIPLY("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32");
}
// Elements as to_tf32() rounds them; the low 13 bits are ignored.
__device__ __forceinline__ void multiply_16x8x8_tf32(float (&c)[4], const unsigned (&a)[4],
                                                     const unsigned (&b)[2]) {
  TYTO_MULTIPLY("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32");
}
#undef TYTO_MULTIPLY

// To nearest, ties away from zero: what PyTorch and cuDNN do.
__device__ __forceinline__ unsigned to_tf32(float v) {
  unsigned rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(v));
  return rounded;
}

// `Tiles` (1, 2 or 4) tiles of 8 x 8 16-bit elements. Lane 8 i + r gives the address of row r of tile i, in
// shared memory and a multiple of 16 bytes; tiles[i] gets columns 2t, 2t + 1 of row g, or of the transposed
// tile's.
template <bool Transposed = false, int Tiles>
__device__ __forceinline__ void load_tiles(unsigned (&tiles)[Tiles], const void* row) {
  static_assert(Tiles == 1 || Tiles == 2 || Tiles == 4);
  const auto from = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if constexpr (Tiles == 1) {
    if constexpr (Transposed)
      asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                   : "=r"(tiles[0])
                   : "r"(from)
                   : "memory");
    else
      asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                   : "=r"(tiles[0])
                   : "r"(from)
                   : "memory");
  } else if constexpr (Tiles == 2) {
    if constexpr (Transposed)
      asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                   : "=r"(tiles[0]), "=r"(tiles[1])
                   : "r"(from)
                   : "memory");
    else
      asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                   : "=r"(tiles[0]), "=r"(tiles[1])
                   : "r"(from)
                   : "memory");
  } else {
    if constexpr (Transposed)
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                   : "=r"(tiles[0]), "=r"(tiles[1]), "=r"(tiles[2]), "=r"(tiles[3])
                   : "r"(from)
                   : "memory");
    else
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                   : "=r"(tiles[0]), "=r"(tiles[1]), "=r"(tiles[2]), "=r"(tiles[3])
                   : "r"(from)
                   : "memory");
  }
}

#endif

}  // namespace tyto::kernels
