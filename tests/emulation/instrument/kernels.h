// Small kernels that do right, or one thing wrong: what the instrument is tested with. All on the default
// stream.
#pragma once

#include <cstdint>

namespace instrument_kernels {

// y[i] = x[i * stride], i < n, in blocks of 32.
void copy_strided(const float* x, float* y, int n, int stride);
// As copy_strided with stride 1, four floats at a time; n is a multiple of 4.
void copy_vectors(const float* x, float* y, int n);
// Every thread of one block of `threads` reads x[0]; y[i] = x[0].
void copy_first(const float* x, float* y, int threads);

// One warp writes word lane * stride of shared memory, and reads it.
void shared_stride(float* y, int stride);
// One warp reads 16 bytes a lane, side by side.
void shared_vectors(float* y);

// One block of 64: shared[i] = x[i], then y[i] = shared[63 - i]; the barrier between may be left out.
void reverse(const float* x, float* y, bool with_barrier);
// One warp: shared[lane] = x[lane], then y[lane] = shared[lane ^ 1]; __syncwarp() between may be left out.
void swap_neighbours(const float* x, float* y, bool with_syncwarp);
// As swap_neighbours, but only the lower or the upper half of the warp meets: lanes 0 to 15 on their own,
// then 16 to 31.
void swap_across_halves(const float* x, float* y);
// Every thread of `blocks` blocks of 32 adds 1 to *count; plainly, or atomically.
void count_threads(int* count, int blocks, bool atomically);
// One block of 32: thread 0 sets a shared counter to 0, all add 1 to it atomically; the barrier between may
// be left out.
void count_shared(int* count, bool with_barrier);
// Block b writes y[b] and then reads y[0].
void read_first_block(float* y, int blocks);

// All blocks but the last read x[0], and that one too if it `reads_itself`; then it writes x[0]. A thread a
// block.
void write_what_others_read(float* x, float* y, int blocks, bool reads_itself);
// One block: all read a shared word, __syncwarp(), and the last thread reads it again and changes it.
void write_after_syncwarp(float* y, int threads);
// One block of 32: all add to a shared counter atomically and read it plainly.
void read_while_counting(int* y);

// Blocks of 32. Of the first one the first `written` threads write shared memory; all of all blocks read it
// after a barrier.
void read_shared(float* y, int written, int blocks);
// One block of `threads`: y[i] = x[i], or to and from shared memory of `n` floats.
void copy_too_far(const float* x, float* y, int threads);
void shared_too_far(float* y, int threads);

// y = x of two or four floats, by one access.
void copy_two(const float* x, float* y);
void copy_four(const float* x, float* y);

// Blocks of 32 add x[i] to *sum atomically, all in one go or a thread after the other, with a barrier
// between.
void sum_atomically(const float* x, float* sum, int blocks, bool in_turn);
// One block of 64, of which all or the first half reach a barrier; the others end.
void barrier_of_some(float* y, bool all);

// Right ones, for contrast.
void transpose(const float* x, float* y, int n);     // n x n, a multiple of 32, by padded tiles
void block_sum(const float* x, float* sums, int n);  // one sum a block of 256; n is a multiple of 256
void block_scan(const float* x, float* y, int n);    // one block of n, at most 256: y[i] = x[0] + ... + x[i]
void halves_sum(const float* x, float* sums);        // one warp, two tiles of 16, by __shfl_xor_sync
// One warp as two tiles of 16: turn 0, the odd lanes read x[lane] and all shuffle; turn 1, all read x[32 +
// lane].
void odd_lanes_twice(const float* x, float* sums);
void copy_bytes(const uint8_t* x, uint8_t* y, int n);  // a byte a thread, blocks of 32
// A table by value is 192 bytes: constant memory.
struct Table {
  float values[48];
};
void look_up(const Table& table, float* y);  // y[i] = table.values[i], one block of 32

// Blocks of two warps: each warp multiplies two tiles of halves and three of tf32. It states 640 operations
// and 12 exponentials.
void multiply_tiles(float* y, int blocks);

}  // namespace instrument_kernels
