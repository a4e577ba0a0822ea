// From scored boxes to detections in four launches, whatever is found; work in proportion to what is found.
// Scores travel as keys (rank_key.h): 64 bits that are unique and sort by score, then index, so every order
// below is total and no result depends on which thread was first.
//
//   sort_tiles     a block a tile of 4096 boxes of one class of one image: those above the threshold, sorted,
//   the best
//                  top_k of them: a run
//   merge_tiles    the runs of a class's tiles to one list of its best top_k
//   suppress       a block a list: what is kept, and of that what is shown
//   write_rows     the classes' lists to an image's rows
//
// Merging is counting: the rank of a key among several sorted runs is its rank in its own plus the numbers of
// smaller keys in the others, found by bisection; each thread gives up as soon as its key is out of the race.
// So nothing is sorted twice and no launch depends on a count that only the device knows.
//
// Cost for SSD300, 20 classes x 8732 boxes of which 1 in 100 passes: 0.7 MB of scores read an image, then
// sorts of some 64 keys a tile and suppression among a hundred boxes a class, on 60 and on 20 blocks. Bound
// by latency, not by memory.
#include "kernels/detection/nms.h"

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/rank_key.h"
#include "kernels/common/reduce.cuh"
#include "kernels/detection/bitonic_sort.cuh"
#include "kernels/detection/nms_math.h"
#include "kernels/detection/sorted_runs.cuh"

namespace tyto::kernels {
namespace {

constexpr int kTile = 4096;  // boxes whose keys fit into the shared memory that every device has
constexpr int kSortBlock = 512;
constexpr int kMergeBlock = 256;
constexpr int kSuppressBlock = 256;  // four on an SM: registers for all that is alive

// A call's sizes. A list is one class of one image.
struct Sizes {
  int classes, count;
  int tiles;       // of a list
  int run;         // the most candidates that go on from a tile
  int candidates;  // the most of a list
  int kept;        // the most that suppression leaves of a list
  int rows;        // of an image's result
};

struct Workspace {
  float* kept_boxes;     // [lists, kept, 4]
  uint64_t* runs;        // [lists, tiles, run]    keys of score and box index
  uint64_t* candidates;  // [lists, candidates]    likewise
  uint64_t* shown;       // [lists, kept]          keys of score and class * kept + rank among the kept boxes
  int* run_lengths;      // [lists, tiles]
  int* shown_lengths;    // [lists]
};

__device__ Box load_box(const float* boxes, int64_t i) {
  float b[4];
  load(boxes + 4 * i, b);
  return {b[0], b[1], b[2], b[3]};
}

__device__ void store_box(const Box& box, float* boxes, int64_t i) {
  const float b[4] = {box.x1, box.y1, box.x2, box.y2};
  store(b, boxes + 4 * i);
}

__device__ unsigned lanes_before(int lane) { return (1u << lane) - 1; }

// The keys of the tile's candidates, in any order, to `keys`; their number is added to *found.
__device__ void find_candidates(const float* __restrict__ boxes, const float* __restrict__ scores, int first,
                                int count, float threshold, uint64_t* keys, int* found) {
  constexpr int kPerThread = kTile / kSortBlock;
  const int thread = threadIdx.x, lane = thread % kWarp;
  float score[kPerThread];
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    const int i = k * kSortBlock + thread;
    score[k] = i < count ? scores[first + i] : threshold;
  }
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    const int i = k * kSortBlock + thread;
    const bool passes = score[k] > threshold && is_finite(load_box(boxes, first + i));
    const unsigned passing = __ballot_sync(kFullWarp, passes);
    int rank = 0;
    if (lane == 0 && passing != 0) rank = atomicAdd(found, __popc(passing));
    rank = __shfl_sync(kFullWarp, rank, 0) + __popc(passing & lanes_before(lane));
    if (passes) keys[rank] = rank_key(score[k], first + i);
  }
}

__global__ void __launch_bounds__(kSortBlock)
    sort_tiles_kernel(const float* __restrict__ boxes, const float* __restrict__ scores, Sizes sizes,
                      float threshold, uint64_t* __restrict__ runs, int* __restrict__ run_lengths) {
  TYTO_SHARED_ARRAY(uint64_t, keys, kTile);
  TYTO_SHARED_ARRAY(int, found, 1);
  const int64_t list = blockIdx.x / sizes.tiles, image = list / sizes.classes;
  const int first = static_cast<int>(blockIdx.x % sizes.tiles) * kTile;
  if (threadIdx.x == 0) *found = 0;
  __syncthreads();
  find_candidates(boxes + 4 * image * sizes.count, scores + list * sizes.count, first,
                  min(kTile, sizes.count - first), threshold, keys, found);
  __syncthreads();
  bitonic_sort(keys, *found);

  const int length = min(*found, sizes.run);
  uint64_t* run = runs + static_cast<int64_t>(blockIdx.x) * sizes.run;
  for (int i = threadIdx.x; i < length; i += kSortBlock) run[i] = keys[i];
  if (threadIdx.x == 0) run_lengths[blockIdx.x] = length;
}

__device__ SortedRuns tiles_of(const Workspace& w, const Sizes& sizes, int64_t list) {
  return {w.runs + list * sizes.tiles * sizes.run, w.run_lengths + list * sizes.tiles, sizes.tiles,
          sizes.run};
}

__global__ void __launch_bounds__(kMergeBlock) merge_tiles_kernel(Sizes sizes, Workspace w) {
  const int64_t list = blockIdx.x / sizes.tiles;
  const int tile = blockIdx.x % sizes.tiles;
  const SortedRuns runs = tiles_of(w, sizes, list);
  uint64_t* candidates = w.candidates + list * sizes.candidates;
  for (int i = threadIdx.x; i < runs.lengths[tile]; i += kMergeBlock) {
    const int rank = rank_among(runs, tile, i, sizes.candidates);
    if (rank >= sizes.candidates) break;  // so are those behind
    candidates[rank] = runs.run(tile)[i];
  }
}

// A key and its box, or an empty box behind the last.
struct Candidate {
  uint64_t key = 0;
  Box box = {};
};

__device__ Candidate candidate(const uint64_t* keys, int i, int count, const float* __restrict__ boxes) {
  if (i >= count) return {};
  return {keys[i], load_box(boxes, rank_key_index(keys[i]))};
}

// Greedy, 32 candidates at a time: a lane is a candidate. Each warp compares them with its share of the boxes
// kept so far and with its share of one another; then every warp, for itself, goes through the 32 in order.
// Only what was kept is ever compared with: a tenth of all pairs where a tenth is kept.
__global__ void __launch_bounds__(kSuppressBlock, 4)
    suppress_kernel(const float* __restrict__ boxes, Sizes sizes, Nms p, Workspace w) {
  constexpr int kWarps = kSuppressBlock / kWarp;
  TYTO_SHARED_ARRAY(float, tiles, 2 * kWarp * 4);     // the boxes that are being looked at, and the next
  TYTO_SHARED_ARRAY(unsigned, suppressed, kWarps);    // by a warp's share of the kept: a bit a candidate
  TYTO_SHARED_ARRAY(unsigned, suppressed_by, kWarp);  // the candidate
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int64_t list = blockIdx.x;
  const int class_index = blockIdx.x % sizes.classes;
  const float* of_image = boxes + 4 * (list / sizes.classes * sizes.count);
  const uint64_t* keys = w.candidates + list * sizes.candidates;
  const int count = min(total_length(tiles_of(w, sizes, list)), sizes.candidates);
  float* kept_boxes = w.kept_boxes + 4 * list * sizes.kept;
  uint64_t* shown = w.shown + list * sizes.kept;

  int kept = 0, shown_count = 0;
  Candidate next;  // the first warp's
  if (warp == 0) {
    next = candidate(keys, lane, count, of_image);
    store_box(next.box, tiles, lane);
  }
  for (int begin = 0; begin < count && kept < sizes.kept; begin += kWarp) {
    __syncthreads();  // the tile is there, and so are the boxes kept of the last one
    const float* tile = tiles + begin / kWarp % 2 * (kWarp * 4);
    const Candidate mine = {next.key, load_box(tile, lane)};
    if (warp == 0) next = candidate(keys, begin + kWarp + lane, count, of_image);

    bool is_suppressed = false;
    for (int k = warp; k < kept; k += kWarps)
      is_suppressed |= suppresses(load_box(kept_boxes, k), mine.box, p);
    const unsigned by_kept = __ballot_sync(kFullWarp, is_suppressed);
    if (lane == 0) suppressed[warp] = by_kept;
    for (int i = warp; i < kWarp; i += kWarps) {
      const unsigned by_candidate =
          __ballot_sync(kFullWarp, lane > i && suppresses(load_box(tile, i), mine.box, p));
      if (lane == 0) suppressed_by[i] = by_candidate;
    }
    if (warp == 0) store_box(next.box, tiles + (begin / kWarp + 1) % 2 * (kWarp * 4), lane);
    __syncthreads();

    unsigned left = count - begin < kWarp ? lanes_before(count - begin) : kFullWarp, stays = 0;
    for (int i = 0; i < kWarps; ++i) left &= ~suppressed[i];
    while (left != 0) {
      const int best = __ffs(left) - 1;
      stays |= 1u << best;
      left &= ~(suppressed_by[best] | 1u << best);
    }
    if (warp == 0) {
      const int rank = kept + __popc(stays & lanes_before(lane));
      const bool is_kept = (stays >> lane & 1) != 0 && rank < sizes.kept;
      if (is_kept) store_box(mine.box, kept_boxes, rank);
      const unsigned showing = __ballot_sync(kFullWarp, is_kept && is_shown(mine.box, p));
      if (showing >> lane & 1)
        shown[shown_count + __popc(showing & lanes_before(lane))] =
            rank_key(rank_key_score(mine.key), class_index * sizes.kept + rank);
      shown_count += __popc(showing);
    }
    kept += __popc(stays);
  }
  if (threadIdx.x == 0) w.shown_lengths[list] = shown_count;
}

// A block a list. A row is 24 bytes, and neighbours in a list are none in the result.
__global__ void __launch_bounds__(kMergeBlock)
    write_rows_kernel(Sizes sizes, Nms p, Workspace w, float* __restrict__ detections,
                      int32_t* __restrict__ counts) {
  const int class_index = blockIdx.x % sizes.classes;
  const int64_t image = blockIdx.x / sizes.classes, first_list = image * sizes.classes;
  const SortedRuns runs = {w.shown + first_list * sizes.kept, w.shown_lengths + first_list, sizes.classes,
                           sizes.kept};
  float* rows = detections + image * sizes.rows * kDetectionRow;

  const int64_t end = int64_t{kDetectionRow} * sizes.rows, step = int64_t{kMergeBlock} * sizes.classes;
  const int found = total_length(runs);
  if (class_index == 0 && threadIdx.x == 0) counts[image] = min(found, sizes.rows);
  int64_t at = int64_t{kDetectionRow} * found + kMergeBlock * int64_t{class_index} + threadIdx.x;
  for (; at < end; at += step) rows[at] = nothing(at % kDetectionRow);

  for (int i = threadIdx.x; i < runs.lengths[class_index]; i += kMergeBlock) {
    const int rank = rank_among(runs, class_index, i, sizes.rows);
    if (rank >= sizes.rows) break;  // so are those behind
    const uint64_t key = runs.run(class_index)[i];
    const Box box = load_box(w.kept_boxes, first_list * sizes.kept + rank_key_index(key));
    write_detection(box, rank_key_score(key), class_index + 1, p,
                    rows + static_cast<int64_t>(rank) * kDetectionRow);
  }
}

Sizes sizes_of(const Nms& p, int64_t classes, int64_t count) {
  const int64_t candidates = limited(count, p.top_k);
  return {.classes = checked_int(classes, "the classes"),
          .count = checked_int(count, "an image's boxes"),
          .tiles = static_cast<int>((count + kTile - 1) / kTile),
          .run = static_cast<int>(std::min<int64_t>(kTile, candidates)),
          .candidates = static_cast<int>(candidates),
          .kept = static_cast<int>(most_per_class(p, count)),
          .rows = checked_int(detection_capacity(p, classes, count), "an image's detections")};
}

// Takes one array after the other from a block of memory; without one it counts bytes.
class Carver {
 public:
  explicit Carver(void* memory) : memory_(static_cast<char*>(memory)) {}
  template <class T>
  T* take(int64_t size) {
    T* array = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + bytes_);
    bytes_ += size * static_cast<int64_t>(sizeof(T));
    return array;
  }
  int64_t bytes() const { return bytes_; }

 private:
  char* memory_;
  int64_t bytes_ = 0;
};

// Arrays of greater alignment first.
Workspace carve(Carver& carver, const Sizes& sizes, int64_t lists) {
  Workspace w = {};
  w.kept_boxes = carver.take<float>(lists * sizes.kept * 4);
  w.runs = carver.take<uint64_t>(lists * sizes.tiles * sizes.run);
  // Of one tile there is nothing to merge.
  w.candidates = sizes.tiles > 1 ? carver.take<uint64_t>(lists * sizes.candidates) : w.runs;
  w.shown = carver.take<uint64_t>(lists * sizes.kept);
  w.run_lengths = carver.take<int>(lists * sizes.tiles);
  w.shown_lengths = carver.take<int>(lists);
  return w;
}

}  // namespace

int64_t nms_workspace_cuda(const Nms& p, int64_t n, int64_t classes, int64_t count) {
  Carver carver(nullptr);
  carve(carver, sizes_of(p, classes, count), n * classes);
  return carver.bytes();
}

void nms(const float* boxes, const float* scores, int64_t n, int64_t classes, int64_t count, const Nms& p,
         void* workspace, float* detections, int32_t* counts, Stream stream) {
  const Sizes sizes = sizes_of(p, classes, count);
  const int64_t lists = n * classes;
  if (lists == 0 || count == 0) {
    cudaMemsetAsync(counts, 0, static_cast<size_t>(n) * sizeof(int32_t), stream);
    return;
  }
  checked_int(classes * sizes.kept, "the boxes kept of an image");
  Carver carver(workspace);
  const Workspace w = carve(carver, sizes, lists);
  const dim3 a_list = static_cast<unsigned>(checked_int(lists, "the batch's classes"));
  const dim3 a_tile = static_cast<unsigned>(checked_int(lists * sizes.tiles, "the batch's tiles of boxes"));

  launch<sort_tiles_kernel>({.grid = a_tile, .block = kSortBlock, .stream = stream}, boxes, scores, sizes,
                            p.score_threshold, w.runs, w.run_lengths);
  if (sizes.tiles > 1)
    launch<merge_tiles_kernel>({.grid = a_tile, .block = kMergeBlock, .stream = stream}, sizes, w);
  launch<suppress_kernel>({.grid = a_list, .block = kSuppressBlock, .stream = stream}, boxes, sizes, p, w);
  launch<write_rows_kernel>({.grid = a_list, .block = kMergeBlock, .stream = stream}, sizes, p, w, detections,
                            counts);
}

}  // namespace tyto::kernels
