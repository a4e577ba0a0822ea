// From scored boxes to detections in four launches, whatever is found; work in proportion to what is found.
// Scores travel as keys (rank_key.h): 64 bits that are unique and sort by score, then index, so every order
// below is total and no result depends on which thread was first.
//
//   sort_tiles     a block a tile of 4096 candidates of one list (nms_lists.h): those above the threshold,
//                  sorted, the best top_k of them: a run
//   merge_tiles    the runs of a list's tiles to one list of its best top_k
//   suppress       a block a list: what is kept, and of that what is shown
//   write_rows     the lists to an image's rows
//
// Merging is counting: the rank of a key among several sorted runs is its rank in its own plus the numbers of
// smaller keys in the others, found by bisection; each thread gives up as soon as its key is out of the race.
// So nothing is sorted twice and no launch depends on a count that only the device knows.
//
// Cost for SSD300, 20 classes x 8732 boxes of which 1 in 100 passes: 0.7 MB of scores read an image, then
// sorts of some 64 keys a tile and suppression among a hundred boxes a class, on 60 and on 20 blocks. Bound
// by latency, not by memory.
//
// Cost of a region proposal network's 20,646 boxes, 6000 to 300: 0.4 MB read; one list, so one SM. Before the
// 300th is kept some thousand to 6000 candidates are compared with at most 300 boxes: 1.5 million pairs of
// some 25 instructions, 128 lanes a cycle: 0.3 million cycles, below 0.2 ms. 12,000 to 2000 is at most 12
// times that, and of real boxes half. Images and levels run side by side. More SMs a list would want a launch
// a chunk of candidates, or all pairs as a mask: 18 MB an image.
#include "kernels/detection/nms.h"

#include "kernels/common/launch.h"
#include "kernels/detection/nms_candidates.cuh"

namespace tyto::kernels {
namespace {

constexpr int kMergeBlock = 256;
// Threads a list: four blocks an SM, registers for all that is alive; or all of an SM where there are few
// lists.
constexpr int kSuppressBlock = 256, kWideSuppressBlock = 1024, kFewLists = 64;

__global__ void __launch_bounds__(kSortBlock)
    sort_tiles_kernel(const float* __restrict__ boxes, const float* __restrict__ scores,
                      const int32_t* __restrict__ counts, NmsSizes sizes, float threshold,
                      uint64_t* __restrict__ runs, int* __restrict__ run_lengths) {
  TYTO_SHARED_ARRAY(uint64_t, keys, kNmsTile);
  TYTO_SHARED_ARRAY(int, found, 1);
  const NmsLists& lists = sizes.lists;
  const int tile = blockIdx.x % sizes.tiles, list = blockIdx.x / sizes.tiles % lists.per_image;
  const int64_t image = blockIdx.x / sizes.tiles / lists.per_image;
  if (threadIdx.x == 0) *found = 0;
  __syncthreads();
  find_candidates(lists, boxes + 4 * image * sizes.image_boxes(), scores + image * sizes.image_scores(),
                  lists.first(list) + tile * kNmsTile, min(kNmsTile, lists.size(list) - tile * kNmsTile),
                  counts == nullptr ? lists.count : counts[image], threshold, keys, found);
  __syncthreads();
  bitonic_sort(keys, *found);

  const int length = min(*found, sizes.run);
  uint64_t* run = runs + static_cast<int64_t>(blockIdx.x) * sizes.run;
  for (int i = threadIdx.x; i < length; i += kSortBlock) run[i] = keys[i];
  if (threadIdx.x == 0) run_lengths[blockIdx.x] = length;
}

__global__ void __launch_bounds__(kMergeBlock) merge_tiles_kernel(NmsSizes sizes, NmsWorkspace w) {
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

__device__ Candidate candidate(const uint64_t* keys, int i, int count, const NmsLists& lists,
                               const float* __restrict__ boxes) {
  if (i >= count) return {};
  return {keys[i], load_box(boxes + 4 * lists.box(rank_key_index(keys[i])))};
}

// Greedy, 32 candidates at a time: a lane is a candidate. Each warp compares them with its share of the boxes
// kept so far and with its share of one another; then every warp, for itself, goes through the 32 in order.
// Only what was kept is ever compared with: a tenth of all pairs where a tenth is kept.
template <int kBlock>
__global__ void __launch_bounds__(kBlock, 1024 / kBlock)
    suppress_kernel(const float* __restrict__ boxes, NmsSizes sizes, Nms p, NmsWorkspace w) {
  constexpr int kWarps = kBlock / kWarp;
  TYTO_SHARED_ARRAY(float, tiles, 2 * kWarp * 4);     // the boxes that are being looked at, and the next
  TYTO_SHARED_ARRAY(unsigned, suppressed, kWarps);    // by a warp's share of the kept: a bit a candidate
  TYTO_SHARED_ARRAY(unsigned, suppressed_by, kWarp);  // the candidate
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int64_t list = blockIdx.x;
  const int list_of_image = blockIdx.x % sizes.lists.per_image;
  const float* of_image = boxes + 4 * (list / sizes.lists.per_image * sizes.image_boxes());
  const uint64_t* keys = w.candidates + list * sizes.candidates;
  const int count = min(total_length(tiles_of(w, sizes, list)), sizes.candidates);
  float* kept_boxes = w.kept_boxes + 4 * list * sizes.kept;
  int* kept_candidates = w.kept_candidates + list * sizes.kept;
  uint64_t* shown = w.shown + list * sizes.kept;

  int kept = 0, shown_count = 0;
  Candidate next;  // the first warp's
  if (warp == 0) {
    next = candidate(keys, lane, count, sizes.lists, of_image);
    store(next.box, tiles + 4 * lane);
  }
  for (int begin = 0; begin < count && kept < sizes.kept; begin += kWarp) {
    __syncthreads();  // the tile is there, and so are the boxes kept of the last one
    const float* tile = tiles + begin / kWarp % 2 * (kWarp * 4);
    const Candidate mine = {next.key, load_box(tile + 4 * lane)};
    if (warp == 0) next = candidate(keys, begin + kWarp + lane, count, sizes.lists, of_image);

    bool is_suppressed = is_small(mine.box, p);
    for (int k = warp; k < kept; k += kWarps)
      is_suppressed |= suppresses(load_box(kept_boxes + 4 * k), mine.box, p);
    const unsigned by_kept = __ballot_sync(kFullWarp, is_suppressed);
    if (lane == 0) suppressed[warp] = by_kept;
    for (int i = warp; i < kWarp; i += kWarps) {
      const unsigned by_candidate =
          __ballot_sync(kFullWarp, lane > i && suppresses(load_box(tile + 4 * i), mine.box, p));
      if (lane == 0) suppressed_by[i] = by_candidate;
    }
    if (warp == 0) store(next.box, tiles + (begin / kWarp + 1) % 2 * (kWarp * 4) + 4 * lane);
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
      if (is_kept) {
        store(mine.box, kept_boxes + 4 * rank);
        kept_candidates[rank] = rank_key_index(mine.key);
      }
      const unsigned showing = __ballot_sync(kFullWarp, is_kept && is_shown(mine.box, p));
      if (showing >> lane & 1)
        shown[shown_count + __popc(showing & lanes_before(lane))] =
            rank_key(shown_score(rank_key_score(mine.key), p), list_of_image * sizes.kept + rank);
      shown_count += __popc(showing);
    }
    kept += __popc(stays);
  }
  if (threadIdx.x == 0) w.shown_lengths[list] = shown_count;
}

// A block a list. A row is 24 bytes, and neighbours in a list are none in the result.
__global__ void __launch_bounds__(kMergeBlock)
    write_rows_kernel(NmsSizes sizes, Nms p, NmsWorkspace w, float* __restrict__ detections,
                      int32_t* __restrict__ counts, int32_t* __restrict__ kept) {
  const int list = blockIdx.x % sizes.lists.per_image;
  const int64_t image = blockIdx.x / sizes.lists.per_image, first_list = image * sizes.lists.per_image;
  const SortedRuns runs = {w.shown + first_list * sizes.kept, w.shown_lengths + first_list,
                           sizes.lists.per_image, sizes.kept};
  float* rows = detections + image * sizes.rows * kDetectionRow;

  const int64_t end = int64_t{kDetectionRow} * sizes.rows;
  const int64_t step = int64_t{kMergeBlock} * sizes.lists.per_image;
  const int found = total_length(runs);
  if (list == 0 && threadIdx.x == 0) counts[image] = min(found, sizes.rows);
  int64_t at = int64_t{kDetectionRow} * found + kMergeBlock * int64_t{list} + threadIdx.x;
  for (; at < end; at += step) rows[at] = nothing(at % kDetectionRow);
  if (kept != nullptr)
    for (int64_t row = found + kMergeBlock * int64_t{list} + threadIdx.x; row < sizes.rows; row += step)
      kept[image * sizes.rows + row] = -1;

  for (int i = threadIdx.x; i < runs.lengths[list]; i += kMergeBlock) {
    const int rank = rank_among(runs, list, i, sizes.rows);
    if (rank >= sizes.rows) break;  // so are those behind
    const uint64_t key = runs.run(list)[i];
    const int64_t place = first_list * sizes.kept + rank_key_index(key);
    write_detection(load_box(w.kept_boxes + 4 * place), rank_key_score(key),
                    sizes.lists.label(list, w.kept_candidates[place]), p,
                    rows + static_cast<int64_t>(rank) * kDetectionRow);
    if (kept != nullptr) kept[image * sizes.rows + rank] = w.kept_candidates[place] % sizes.lists.count;
  }
}

NmsSizes sizes_of(const Nms& p, int64_t classes, int64_t count, bool class_boxes) {
  checked_int(classes * count, "an image's scores");
  const NmsLists lists = lists_of(p, classes, count, class_boxes);
  const auto candidates = static_cast<int>(limited(lists.longest, p.top_k));
  return {.lists = lists,
          .tiles = (lists.longest + kNmsTile - 1) / kNmsTile,
          .run = std::min(kNmsTile, candidates),
          .candidates = candidates,
          .kept = static_cast<int>(most_kept(p, lists.longest)),
          .rows = static_cast<int>(detection_capacity(p, classes, count))};
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
NmsWorkspace carve(Carver& carver, const NmsSizes& sizes, int64_t lists) {
  NmsWorkspace w = {};
  w.kept_boxes = carver.take<float>(lists * sizes.kept * 4);
  w.runs = carver.take<uint64_t>(lists * sizes.tiles * sizes.run);
  // Of one tile there is nothing to merge.
  w.candidates = sizes.tiles > 1 ? carver.take<uint64_t>(lists * sizes.candidates) : w.runs;
  w.shown = carver.take<uint64_t>(lists * sizes.kept);
  w.kept_candidates = carver.take<int>(lists * sizes.kept);
  w.run_lengths = carver.take<int>(lists * sizes.tiles);
  w.shown_lengths = carver.take<int>(lists);
  return w;
}

}  // namespace

int64_t nms_workspace_cuda(const Nms& p, int64_t n, int64_t classes, int64_t count) {
  const NmsSizes sizes = sizes_of(p, classes, count, false);
  Carver carver(nullptr);
  carve(carver, sizes, n * sizes.lists.per_image);
  return carver.bytes();
}

void nms(const BoxScores& in, const Nms& p, void* workspace, float* detections, int32_t* counts,
         Stream stream, int32_t* kept) {
  const NmsSizes sizes = sizes_of(p, in.classes, in.count, in.class_boxes);
  const int64_t lists = in.n * sizes.lists.per_image;
  if (lists == 0 || in.count == 0) {
    cudaMemsetAsync(counts, 0, static_cast<size_t>(in.n) * sizeof(int32_t), stream);
    return;
  }
  checked_int(int64_t{sizes.lists.per_image} * sizes.kept, "the boxes kept of an image");
  Carver carver(workspace);
  const NmsWorkspace w = carve(carver, sizes, lists);
  const dim3 a_list = static_cast<unsigned>(checked_int(lists, "the batch's lists"));
  const dim3 a_tile = static_cast<unsigned>(checked_int(lists * sizes.tiles, "the batch's tiles of boxes"));

  launch<sort_tiles_kernel>({.grid = a_tile, .block = kSortBlock, .stream = stream}, in.boxes, in.scores,
                            in.counts, sizes, p.score_threshold, w.runs, w.run_lengths);
  if (sizes.tiles > 1)
    launch<merge_tiles_kernel>({.grid = a_tile, .block = kMergeBlock, .stream = stream}, sizes, w);
  if (lists <= kFewLists)
    launch<suppress_kernel<kWideSuppressBlock>>(
        {.grid = a_list, .block = kWideSuppressBlock, .stream = stream}, in.boxes, sizes, p, w);
  else
    launch<suppress_kernel<kSuppressBlock>>({.grid = a_list, .block = kSuppressBlock, .stream = stream},
                                            in.boxes, sizes, p, w);
  launch<write_rows_kernel>({.grid = a_list, .block = kMergeBlock, .stream = stream}, sizes, p, w, detections,
                            counts, kept);
}

}  // namespace tyto::kernels
