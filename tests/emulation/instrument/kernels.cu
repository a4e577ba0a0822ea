#include "emulation/instrument/kernels.h"

#include "kernels/common/launch.h"
#include "kernels/common/tensor_core.cuh"

namespace instrument_kernels {

using tyto::kernels::launch;

namespace {

__global__ void copy_strided_kernel(const float* x, float* y, int n, int stride) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i * stride];
}

__global__ void copy_vectors_kernel(const float4* x, float4* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i];
}

__global__ void copy_first_kernel(const float* x, float* y) { y[threadIdx.x] = x[0]; }

__global__ void shared_stride_kernel(float* y, int stride) {
  TYTO_SHARED_ARRAY(float, words, 32 * 32);
  words[threadIdx.x * stride] = 1;
  __syncwarp();
  y[threadIdx.x] = words[threadIdx.x * stride];
}

__global__ void shared_vectors_kernel(float* y) {
  TYTO_SHARED_ARRAY(float4, words, 32);
  words[threadIdx.x] = make_float4(1, 2, 3, 4);
  __syncwarp();
  y[threadIdx.x] = words[31 - threadIdx.x].x;
}

__global__ void reverse_kernel(const float* x, float* y, bool with_barrier) {
  TYTO_SHARED_ARRAY(float, words, 64);
  words[threadIdx.x] = x[threadIdx.x];
  if (with_barrier) __syncthreads();
  y[threadIdx.x] = words[63 - threadIdx.x];
}

__global__ void swap_neighbours_kernel(const float* x, float* y, bool with_syncwarp) {
  TYTO_SHARED_ARRAY(float, words, 32);
  words[threadIdx.x] = x[threadIdx.x];
  if (with_syncwarp) __syncwarp();
  y[threadIdx.x] = words[threadIdx.x ^ 1];
}

__global__ void swap_across_halves_kernel(const float* x, float* y) {
  TYTO_SHARED_ARRAY(float, words, 32);
  words[threadIdx.x] = x[threadIdx.x];
  __syncwarp(threadIdx.x < 16 ? 0x0000ffffu : 0xffff0000u);
  y[threadIdx.x] = words[threadIdx.x ^ 16];
}

__global__ void count_plainly_kernel(int* count) { *count = *count + 1; }

__global__ void count_atomically_kernel(int* count) { atomicAdd(count, 1); }

__global__ void count_shared_kernel(int* count, bool with_barrier) {
  TYTO_SHARED_ARRAY(int, sum, 1);
  if (threadIdx.x == 0) sum[0] = 0;
  if (with_barrier) __syncthreads();
  atomicAdd(sum, 1);
  __syncthreads();
  if (threadIdx.x == 0) *count = sum[0];
}

__global__ void read_first_block_kernel(float* y) {
  y[blockIdx.x] = 1;
  if (blockIdx.x > 0) y[blockIdx.x] = y[0];
}

__global__ void write_what_others_read_kernel(float* x, float* y, bool reads_itself) {
  const bool last = blockIdx.x == gridDim.x - 1;
  if (!last || reads_itself) y[blockIdx.x] = x[0];
  if (last) x[0] = 1;
}

__global__ void write_after_syncwarp_kernel(float* y) {
  TYTO_SHARED_ARRAY(float, word, 1);
  if (threadIdx.x == 0) word[0] = 1;
  __syncthreads();
  y[threadIdx.x] = word[0];
  __syncwarp();
  if (threadIdx.x == blockDim.x - 1) word[0] = word[0] + 1;
}

__global__ void read_while_counting_kernel(int* y) {
  TYTO_SHARED_ARRAY(int, sum, 1);
  if (threadIdx.x == 0) sum[0] = 0;
  __syncthreads();
  atomicAdd(sum, 1);
  y[threadIdx.x] = sum[0];
}

__global__ void read_shared_kernel(float* y, int written) {
  TYTO_SHARED_ARRAY(float, words, 32);
  if (blockIdx.x == 0 && static_cast<int>(threadIdx.x) < written) words[threadIdx.x] = 1;
  __syncthreads();
  y[blockIdx.x * 32 + threadIdx.x] = words[31 - threadIdx.x];
}

__global__ void copy_too_far_kernel(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }

template <class Vector>
__global__ void copy_vector_kernel(const float* x, float* y) {
  *reinterpret_cast<Vector*>(y) = *reinterpret_cast<const Vector*>(x);
}

__global__ void shared_too_far_kernel(float* y) {
  TYTO_SHARED_ARRAY(float, words, 32);
  float* word = words + threadIdx.x;
  *word = 1;
  __syncthreads();
  y[threadIdx.x] = *word;
}

__global__ void sum_atomically_kernel(const float* x, float* sum, bool in_turn) {
  const float mine = x[blockIdx.x * 32 + threadIdx.x];
  if (!in_turn) {
    atomicAdd(sum, mine);
    return;
  }
  for (unsigned turn = 0; turn < 32; ++turn) {
    if (turn == threadIdx.x) atomicAdd(sum, mine);
    __syncthreads();
  }
}

__global__ void barrier_of_some_kernel(float* y, bool all) {
  if (!all && threadIdx.x >= 32) return;
  y[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = 2;
}

__global__ void transpose_kernel(const float* x, float* y, int n) {
  TYTO_SHARED_ARRAY(float, tile, 32 * 33);
  const int column = blockIdx.x * 32 + threadIdx.x, row = blockIdx.y * 32 + threadIdx.y;
  for (int i = 0; i < 32; i += 8) tile[(threadIdx.y + i) * 33 + threadIdx.x] = x[(row + i) * n + column];
  __syncthreads();
  const int to_column = blockIdx.y * 32 + threadIdx.x, to_row = blockIdx.x * 32 + threadIdx.y;
  for (int i = 0; i < 32; i += 8) y[(to_row + i) * n + to_column] = tile[threadIdx.x * 33 + threadIdx.y + i];
}

__global__ void block_sum_kernel(const float* x, float* sums) {
  TYTO_SHARED_ARRAY(float, words, 256);
  words[threadIdx.x] = x[blockIdx.x * 256 + threadIdx.x];
  for (unsigned half = 128; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) words[threadIdx.x] += words[threadIdx.x + half];
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = words[0];
}

__global__ void block_scan_kernel(const float* x, float* y) {
  TYTO_SHARED_ARRAY(float, words, 256);
  words[threadIdx.x] = x[threadIdx.x];
  for (unsigned step = 1; step < blockDim.x; step *= 2) {
    __syncthreads();
    const float before = threadIdx.x >= step ? words[threadIdx.x - step] : 0;
    __syncthreads();
    words[threadIdx.x] += before;
  }
  y[threadIdx.x] = words[threadIdx.x];
}

__global__ void halves_sum_kernel(const float* x, float* sums) {
  const unsigned mask = threadIdx.x < 16 ? 0x0000ffffu : 0xffff0000u;
  float sum = x[threadIdx.x];
  for (int offset = 8; offset > 0; offset /= 2) sum += __shfl_xor_sync(mask, sum, offset);
  sums[threadIdx.x] = sum;
}

__global__ void odd_lanes_twice_kernel(const float* x, float* sums) {
  const unsigned mask = threadIdx.x < 16 ? 0x0000ffffu : 0xffff0000u;
  float sum = 0;
  for (unsigned turn = 0; turn < 2; ++turn) {
    if (turn == 1 || threadIdx.x % 2 == 1) sum += x[32 * turn + threadIdx.x];
    sum += __shfl_xor_sync(mask, sum, 1);
  }
  sums[threadIdx.x] = sum;
}

__global__ void copy_bytes_kernel(const uint8_t* x, uint8_t* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i];
}

__global__ void look_up_kernel(Table table, float* y) { y[threadIdx.x] = table.values[threadIdx.x]; }

unsigned blocks_of_32(int n) { return static_cast<unsigned>((n + 31) / 32); }

__global__ void multiply_tiles_kernel(float* y) {
  float c[4] = {};
  const unsigned a[4] = {}, b[2] = {};
  for (int i = 0; i < 2; ++i) tyto::kernels::multiply_16x8x16<tyto::kernels::Half>(c, a, b);
  for (int i = 0; i < 3; ++i) tyto::kernels::multiply_16x8x8_tf32(c, a, b);
  y[blockIdx.x * blockDim.x + threadIdx.x] = c[0];
}

}  // namespace

void copy_strided(const float* x, float* y, int n, int stride) {
  launch<copy_strided_kernel>({.grid = blocks_of_32(n), .block = 32}, x, y, n, stride);
}

void copy_vectors(const float* x, float* y, int n) {
  launch<copy_vectors_kernel>({.grid = blocks_of_32(n / 4), .block = 32}, reinterpret_cast<const float4*>(x),
                              reinterpret_cast<float4*>(y), n / 4);
}

void copy_first(const float* x, float* y, int threads) {
  launch<copy_first_kernel>({.grid = 1, .block = static_cast<unsigned>(threads)}, x, y);
}

void shared_stride(float* y, int stride) {
  launch<shared_stride_kernel>({.grid = 1, .block = 32}, y, stride);
}

void shared_vectors(float* y) { launch<shared_vectors_kernel>({.grid = 1, .block = 32}, y); }

void reverse(const float* x, float* y, bool with_barrier) {
  launch<reverse_kernel>({.grid = 1, .block = 64}, x, y, with_barrier);
}

void swap_neighbours(const float* x, float* y, bool with_syncwarp) {
  launch<swap_neighbours_kernel>({.grid = 1, .block = 32}, x, y, with_syncwarp);
}

void swap_across_halves(const float* x, float* y) {
  launch<swap_across_halves_kernel>({.grid = 1, .block = 32}, x, y);
}

void count_threads(int* count, int blocks, bool atomically) {
  const auto grid = static_cast<unsigned>(blocks);
  if (atomically)
    launch<count_atomically_kernel>({.grid = grid, .block = 32}, count);
  else
    launch<count_plainly_kernel>({.grid = grid, .block = 1}, count);
}

void count_shared(int* count, bool with_barrier) {
  launch<count_shared_kernel>({.grid = 1, .block = 32}, count, with_barrier);
}

void read_first_block(float* y, int blocks) {
  launch<read_first_block_kernel>({.grid = static_cast<unsigned>(blocks), .block = 1}, y);
}

void write_what_others_read(float* x, float* y, int blocks, bool reads_itself) {
  launch<write_what_others_read_kernel>({.grid = static_cast<unsigned>(blocks), .block = 1}, x, y,
                                        reads_itself);
}

void write_after_syncwarp(float* y, int threads) {
  launch<write_after_syncwarp_kernel>({.grid = 1, .block = static_cast<unsigned>(threads)}, y);
}

void read_while_counting(int* y) { launch<read_while_counting_kernel>({.grid = 1, .block = 32}, y); }

void read_shared(float* y, int written, int blocks) {
  launch<read_shared_kernel>({.grid = static_cast<unsigned>(blocks), .block = 32}, y, written);
}

void copy_too_far(const float* x, float* y, int threads) {
  launch<copy_too_far_kernel>({.grid = 1, .block = static_cast<unsigned>(threads)}, x, y);
}

void copy_two(const float* x, float* y) { launch<copy_vector_kernel<float2>>({.grid = 1, .block = 1}, x, y); }

void copy_four(const float* x, float* y) {
  launch<copy_vector_kernel<float4>>({.grid = 1, .block = 1}, x, y);
}

void shared_too_far(float* y, int threads) {
  launch<shared_too_far_kernel>({.grid = 1, .block = static_cast<unsigned>(threads)}, y);
}

void sum_atomically(const float* x, float* sum, int blocks, bool in_turn) {
  launch<sum_atomically_kernel>({.grid = static_cast<unsigned>(blocks), .block = 32}, x, sum, in_turn);
}

void barrier_of_some(float* y, bool all) { launch<barrier_of_some_kernel>({.grid = 1, .block = 64}, y, all); }

void transpose(const float* x, float* y, int n) {
  const auto tiles = static_cast<unsigned>(n / 32);
  launch<transpose_kernel>({.grid = {tiles, tiles}, .block = {32, 8}}, x, y, n);
}

void block_sum(const float* x, float* sums, int n) {
  launch<block_sum_kernel>({.grid = static_cast<unsigned>(n / 256), .block = 256}, x, sums);
}

void block_scan(const float* x, float* y, int n) {
  launch<block_scan_kernel>({.grid = 1, .block = static_cast<unsigned>(n)}, x, y);
}

void halves_sum(const float* x, float* sums) { launch<halves_sum_kernel>({.grid = 1, .block = 32}, x, sums); }

void odd_lanes_twice(const float* x, float* sums) {
  launch<odd_lanes_twice_kernel>({.grid = 1, .block = 32}, x, sums);
}

void copy_bytes(const uint8_t* x, uint8_t* y, int n) {
  launch<copy_bytes_kernel>({.grid = blocks_of_32(n), .block = 32}, x, y, n);
}

void look_up(const Table& table, float* y) { launch<look_up_kernel>({.grid = 1, .block = 32}, table, y); }

void multiply_tiles(float* y, int blocks) {
  launch<multiply_tiles_kernel>(
      {.grid = static_cast<unsigned>(blocks), .block = 64, .work = {.operations = 640, .exponentials = 12}},
      y);
}

}  // namespace instrument_kernels
