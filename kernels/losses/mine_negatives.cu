// Hard negative mining in two kernels. The first gives every row a key by its loss: a block stages a tile of
// rows of logits in shared memory and a thread adds a whole row, class by class, because the CPU's lanes do:
// the same bits. The second finds an image's k-th greatest key digit by digit (radix selection), one block an
// image, or for a selection from the whole batch one block, and marks what is greater and the first of what
// is equal.
//
// Cost: each logit read once; of keys 4 bytes a row written and 20 read, from L2. The first kernel is bound
// by memory, the second by the latency of five passes over an image's keys.
#include <algorithm>

#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/common/workspace.h"
#include "kernels/losses/faults.cuh"
#include "kernels/losses/mine_negatives_math.h"

namespace tyto::kernels {
namespace {

constexpr int kKeyBlock = 128;
constexpr int kTileBytes = 24 << 10;  // up to here so many blocks fit on an SM that it is never idle
constexpr int kMaxBytes = 48 << 10;   // what every device has: a single row may take it all

constexpr int kBlock = 512;
constexpr int kWarps = kBlock / kWarp;
constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;
constexpr int kDigitsOfLane = kDigits / kWarp;

template <class C>
struct Memory {
  MiningKey<C>* keys;  // [batch, rows]

  Memory(Workspace& workspace, int64_t total) : keys(workspace.take<MiningKey<C>>(total)) {}
};

template <class T>
__global__ void __launch_bounds__(kKeyBlock)
    mining_keys_kernel(RowsToMine<T> in, int tile_rows, Mining rule,
                       MiningKey<Computed<T>>* __restrict__ keys, uint8_t* __restrict__ selected,
                       LossStatus* status) {
  using C = Computed<T>;
  TYTO_SHARED_DYNAMIC(C, tile);
  const int classes = static_cast<int>(in.classes), stride = classes | 1, thread = threadIdx.x;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * tile_rows;
  const int rows = static_cast<int>(min(static_cast<int64_t>(tile_rows), in.batch * in.rows - first));
  const T* from = in.logits + first * classes;
  // (row, c) walks along with i, without dividing.
  int row = thread / classes, c = thread % classes;
  const int row_step = kKeyBlock / classes, c_step = kKeyBlock % classes;
  for (int i = thread; i < rows * classes; i += kKeyBlock) {
    tile[row * stride + c] = computed(from[i]);
    row += row_step;
    c += c_step;
    if (c >= classes) {
      c -= classes;
      ++row;
    }
  }
  __syncthreads();
  if (thread >= rows) return;
  const C* logits = tile + thread * stride;
  C largest = logits[0], least = logits[0], sum = 0;
  for (int k = 1; k < classes; ++k) {
    largest = logits[k] > largest ? logits[k] : largest;
    least = logits[k] < least ? logits[k] : least;
  }
  for (int k = 0; k < classes; ++k) sum += exp_of(logits[k] - largest);
  const bool finite = sum == sum && isfinite(least);
  const int32_t label = in.labels[first + thread];
  MiningKey<C> key = positive_key<C>(rule);
  if (label == 0) key = mining_key(finite ? background_loss(largest, sum, logits[0]) : not_a_number<C>());
  keys[first + thread] = key;
  selected[first + thread] = label > 0 ? kPositiveRow : 0;
  if (status == nullptr) return;
  if (!finite) report(status, LossFault::NotFinite, LossInput::Logits, first + thread);
  if (label < 0 || label >= classes) report(status, LossFault::Label, LossInput::Labels, first + thread);
}

// The sum of the block's values, for every thread. partial: shared, [kWarps].
__device__ int block_sum(int v, int* partial) {
  v = warp_sum(v);
  __syncthreads();  // partial may be in use
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = v;
  __syncthreads();
  int sum = 0;
  for (int warp = 0; warp < kWarps; ++warp) sum += partial[warp];
  return sum;
}

// Where the keys of digit d are counted: a lane's digits lie in its own bank.
__device__ int slot_of(unsigned d) { return static_cast<int>(d % kDigitsOfLane * kWarp + d / kDigitsOfLane); }

struct Digit {
  unsigned digit;
  int left;  // to take among the keys of this digit, of which at least one
};

// The digit of the key number `take` in falling order. One warp calls it.
__device__ Digit find_digit(const int* count, int take) {
  const int lane = kWarp - 1 - static_cast<int>(threadIdx.x) % kWarp;  // the greatest digits first
  int own = 0;
  for (int k = 0; k < kDigitsOfLane; ++k) own += count[k * kWarp + lane];
  int upto = own;
#pragma unroll
  for (int distance = 1; distance < kWarp; distance *= 2) {
    const int before = __shfl_up_sync(kFullWarp, upto, distance);
    if (static_cast<int>(threadIdx.x) % kWarp >= distance) upto += before;
  }
  Digit found = {0, take - (upto - own)};
  const bool here = found.left > 0 && found.left <= own;
  if (here)
    for (int k = kDigitsOfLane - 1; k >= 0; --k) {
      const int of_digit = count[k * kWarp + lane];
      found.digit = static_cast<unsigned>(lane * kDigitsOfLane + k);
      if (found.left <= of_digit) break;
      found.left -= of_digit;
    }
  const int owner = __ffs(static_cast<int>(__ballot_sync(kFullWarp, here))) - 1;
  return {__shfl_sync(kFullWarp, found.digit, owner), __shfl_sync(kFullWarp, found.left, owner)};
}

// One block selects from `images` images.
template <class Key>
__global__ void __launch_bounds__(kBlock)
    take_rows_kernel(const Key* __restrict__ keys, int images, int rows, MineNegatives p, uint8_t* selected,
                     int32_t* __restrict__ positives) {
  TYTO_SHARED_ARRAY(int, partial, kWarps);
  TYTO_SHARED_ARRAY(int, count, kDigits);
  TYTO_SHARED_ARRAY(Digit, chosen, 1);
  const int thread = threadIdx.x, total = images * rows;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * total;
  keys += first;
  selected += first;
  double shares = 0;
  for (int image = 0; image < images; ++image) {
    int own = 0;
    for (int i = thread; i < rows; i += kBlock) own += selected[static_cast<int64_t>(image) * rows + i];
    own = block_sum(own, partial);
    if (thread == 0) positives[blockIdx.x * images + image] = own;
    shares += image_share(p, own, rows);
  }
  int take = static_cast<int>(rows_to_take(p, shares, total));
  if (take <= 0) return;
  if (take == total) {
    for (int i = thread; i < total; i += kBlock) selected[i] |= kMinedRow;
    return;
  }
  Key last = 0;  // its digits so far
  for (int shift = static_cast<int>(sizeof(Key)) * 8 - kDigitBits; shift >= 0; shift -= kDigitBits) {
    if (thread < kDigits) count[thread] = 0;
    __syncthreads();
    for (int i = thread; i < total; i += kBlock) {
      const Key key = keys[i];
      if ((key ^ last) >> shift >> kDigitBits == 0)
        atomicAdd(&count[slot_of(static_cast<unsigned>(key >> shift) & (kDigits - 1))], 1);
    }
    __syncthreads();
    if (thread < kWarp) {
      const Digit found = find_digit(count, take);
      if (thread == 0) chosen[0] = found;
    }
    __syncthreads();
    last |= static_cast<Key>(chosen[0].digit) << shift;
    take = chosen[0].left;
  }
  // `take` rows with the last key are left to take, in their order.
  for (int begin = 0; begin < total; begin += kBlock) {
    const int i = begin + thread, lane = thread % kWarp;
    const Key key = i < total ? keys[i] : 0;
    const bool equal = i < total && key == last;
    const unsigned equals = __ballot_sync(kFullWarp, equal);
    __syncthreads();
    if (lane == 0) partial[thread / kWarp] = __popc(equals);
    __syncthreads();
    int before = __popc(equals & ((1u << lane) - 1)), all = 0;
    for (int warp = 0; warp < kWarps; ++warp) {
      if (warp == thread / kWarp) before += all;
      all += partial[warp];
    }
    if (i < total && (key > last || (equal && before < take))) selected[i] |= kMinedRow;
    take -= all;
  }
}

// Rows that a block works on: whole warps, or at least whole sectors of the output, as far as they fit.
int64_t rows_of_tile(int64_t row_bytes) {
  const int64_t rows = std::clamp<int64_t>(kTileBytes / row_bytes, 1, kKeyBlock);
  return rows >= 32 ? rows / 32 * 32 : rows >= 8 ? rows / 8 * 8 : rows;
}

}  // namespace

template <class T>
void mine_negatives(const RowsToMine<T>& in, const MineNegatives& p, const SelectedRows& out, void* memory,
                    Stream stream) {
  using C = Computed<T>;
  const int64_t total = in.batch * in.rows, row_bytes = (in.classes | 1) * static_cast<int64_t>(sizeof(C));
  if (row_bytes > kMaxBytes)
    throw DeviceError("mining of " + std::to_string(in.classes) +
                      " classes: a row of logits exceeds shared memory");
  checked_int(total, "the rows of a batch");
  Workspace workspace(memory);
  const Memory<C> m(workspace, total);
  const int64_t tile_rows = rows_of_tile(row_bytes);
  launch<mining_keys_kernel<T>>({.grid = blocks_for(total, static_cast<int>(tile_rows)),
                                 .block = kKeyBlock,
                                 .shared_bytes = static_cast<size_t>(tile_rows * row_bytes),
                                 .stream = stream},
                                in, static_cast<int>(tile_rows), p.rule, m.keys, out.selected, out.status);
  const bool whole_batch = p.rule == Mining::Bubbliiiing;
  launch<take_rows_kernel<MiningKey<C>>>(
      {.grid = blocks_for(whole_batch && in.batch > 0 ? 1 : in.batch, 1), .block = kBlock, .stream = stream},
      m.keys, static_cast<int>(whole_batch ? in.batch : 1), static_cast<int>(in.rows), p, out.selected,
      out.positives);
}

template <class T>
int64_t mine_negatives_workspace(int64_t batch, int64_t rows) {
  Workspace workspace;
  Memory<Computed<T>>(workspace, batch * rows);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(T)                                                                            \
  template void mine_negatives(const RowsToMine<T>&, const MineNegatives&, const SelectedRows&, void*, \
                               Stream);                                                                \
  template int64_t mine_negatives_workspace<T>(int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
