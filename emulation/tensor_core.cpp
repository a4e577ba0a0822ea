#include "emulation/tensor_core.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <bit>
#include <cstring>

#include "emulation/block.h"

namespace emulation {
namespace {

constexpr uint32_t kWholeWarp = 0xffffffff;

struct Fragments {
  float* c;
  const unsigned *a, *b;
};

const Fragments& fragments_of(void* const* parcels, int lane) {
  return *static_cast<const Fragments*>(parcels[lane]);
}

// Element `half` (0: the lower) of a register.
template <TensorOperands T>
float element(unsigned bits, int half) {
  const auto part = static_cast<unsigned short>(bits >> 16 * half);
  if constexpr (T == TensorOperands::Fp16) return __half2float(__ushort_as_half(part));
  if constexpr (T == TensorOperands::Bf16) return __bfloat162float(__ushort_as_bfloat16(part));
  if constexpr (T == TensorOperands::Tf32) return std::bit_cast<float>(bits & ~0x1fffu);
}

template <TensorOperands T>
void exchange_multiply(void* const* parcels, uint32_t) {
  constexpr int kDepth = T == TensorOperands::Tf32 ? 8 : 16;
  constexpr int kPacked = T == TensorOperands::Tf32 ? 1 : 2;  // elements a register
  float a[16][kDepth], b[kDepth][8];
  for (int lane = 0; lane < kWarp; ++lane) {
    const Fragments& f = fragments_of(parcels, lane);
    const int g = lane / 4, k = lane % 4 * kPacked;
    for (int e = 0; e < kPacked; ++e) {
      for (int r = 0; r < 4; ++r) a[g + r % 2 * 8][k + e + r / 2 * kDepth / 2] = element<T>(f.a[r], e);
      for (int r = 0; r < 2; ++r) b[k + e + r * kDepth / 2][g] = element<T>(f.b[r], e);
    }
  }
  for (int lane = 0; lane < kWarp; ++lane)
    for (int r = 0; r < 4; ++r) {
      const int row = lane / 4 + r / 2 * 8, column = lane % 4 * 2 + r % 2;
      float& c = fragments_of(parcels, lane).c[r];
      for (int k = 0; k < kDepth; ++k) c += a[row][k] * b[k][column];
    }
}

template <bool Transposed>
void move_tiles(void* const* parcels, uint32_t) {
  uint16_t tiles[4][8][8];
  for (int lane = 0; lane < kWarp; ++lane)
    std::memcpy(tiles[lane / 8][lane % 8], &static_cast<TileRows*>(parcels[lane])->row, 16);
  for (int lane = 0; lane < kWarp; ++lane) {
    const int g = lane / 4, t = lane % 4 * 2;
    unsigned registers[4];
    for (int i = 0; i < 4; ++i) {
      const auto& tile = tiles[i];
      const unsigned low = Transposed ? tile[t][g] : tile[g][t],
                     high = Transposed ? tile[t + 1][g] : tile[g][t + 1];
      registers[i] = low | high << 16;
    }
    static_cast<TileRows*>(parcels[lane])->registers = {registers[0], registers[1], registers[2],
                                                        registers[3]};
  }
}

void meet(const char* operation, Exchange exchange, void* parcel, Where where) {
  Block::running().meet({.operation = operation, .exchange = exchange, .mask = kWholeWarp, .where = where},
                        parcel);
}

}  // namespace

void multiply(TensorOperands operands, float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2],
              Where where) {
  static constexpr Exchange kExchanges[] = {exchange_multiply<TensorOperands::Fp16>,
                                            exchange_multiply<TensorOperands::Bf16>,
                                            exchange_multiply<TensorOperands::Tf32>};
  Fragments fragments{c, a, b};
  meet("mma.sync", kExchanges[static_cast<int>(operands)], &fragments, where);
  if (Observer* const watching = observer(); watching && lane() == 0)
    watching->tensor_products(operands, int64_t{16} * 8 * (operands == TensorOperands::Tf32 ? 8 : 16),
                              __builtin_return_address(0));
}

// Adding half of the last kept place carries into the exponent as it should; infinities and NaNs stay.
unsigned to_tf32(float v) {
  const auto bits = std::bit_cast<uint32_t>(v);
  const bool finite = (bits & 0x7f800000) != 0x7f800000;
  return finite ? (bits + 0x1000) & ~0x1fffu : bits;
}

void exchange_tiles(TileRows& lane, bool transposed, Where where) {
  meet("ldmatrix", transposed ? move_tiles<true> : move_tiles<false>, &lane, where);
}

void check_row(const void* row, Where where) {
  if (reinterpret_cast<uintptr_t>(row) % 16 != 0)
    Block::running().fault("ldmatrix of a row whose address is no multiple of 16", where);
  if (!Block::running().shared().holds(row))
    Block::running().fault("ldmatrix of a row that is not in shared memory", where);
}

}  // namespace emulation
