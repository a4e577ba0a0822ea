// Cooperative groups of a block, of tiles and of the lanes that stand together.
#include <bit>

#include "emulation/run.h"

namespace emulation {
namespace {

namespace cg = cooperative_groups;

__device__ int thread() { return static_cast<int>(threadIdx.x); }

__global__ void block_group(int* ranks, int* out) {
  TYTO_SHARED_ARRAY(int, kept, 60);
  const cg::thread_block block = cg::this_thread_block();
  const int rank = static_cast<int>(block.thread_rank()), n = static_cast<int>(block.size());
  ranks[rank] = rank;
  kept[rank] = rank;
  block.sync();
  out[rank] = kept[n - 1 - rank];
  cg::sync(block);
}

TEST(CooperativeGroupsTest, ABlockRanksAndSynchronisesItsThreads) {
  for (const Schedule& schedule : kSchedules) {
    std::vector<int> ranks(60, -1), out(60, -1);
    ASSERT_EQ(run<block_group>(schedule, {1, dim3(3, 4, 5)}, ranks.data(), out.data()), "");
    for (int t = 0; t < 60; ++t) {
      EXPECT_EQ(ranks[t], t);
      EXPECT_EQ(out[t], 59 - t);
    }
  }
}

struct Seen {
  unsigned rank, group, groups, ballot, match;
  int any, all, shuffled, up, down, crossed, sum, largest;
};

template <unsigned Size>
__global__ void tiles(const int* in, Seen* out) {
  const auto tile = cg::tiled_partition<Size>(cg::this_thread_block());
  const int v = in[thread()];
  Seen& s = out[thread()];
  s.rank = tile.thread_rank();
  s.group = tile.meta_group_rank();
  s.groups = tile.meta_group_size();
  s.any = tile.any(v > 5);
  s.all = tile.all(v > 5);
  s.ballot = tile.ballot(v > 5);
  s.match = tile.match_any(v);
  s.shuffled = tile.shfl(v, Size - 1);
  s.up = tile.shfl_up(v, 1);
  s.down = tile.shfl_down(v, 2);
  s.crossed = tile.shfl_xor(v, Size / 2);
  s.sum = cg::reduce(tile, v, cg::plus<int>());
  s.largest = cg::reduce(tile, v, cg::greater<int>());
  tile.sync();
}

template <unsigned Size>
void expect_tiles() {
  const int size = static_cast<int>(Size), n = 96;
  std::vector<int> in(n);
  for (int t = 0; t < n; ++t) in[t] = t * 5 % 17;
  for (const Schedule& schedule : kSchedules) {
    std::vector<Seen> out(n);
    ASSERT_EQ(run<tiles<Size>>(schedule, {1, 96}, in.data(), out.data()), "");
    for (int t = 0; t < n; ++t) {
      const int first = t / size * size, rank = t % size;
      int sum = 0, largest = 0;
      unsigned ballot = 0, match = 0;
      for (int r = 0; r < size; ++r) {
        const int v = in[first + r];
        sum += v, largest = std::max(largest, v);
        ballot |= static_cast<unsigned>(v > 5) << r, match |= static_cast<unsigned>(v == in[t]) << r;
      }
      const Seen& s = out[t];
      EXPECT_EQ(s.rank, rank);
      EXPECT_EQ(s.group, t / size);
      EXPECT_EQ(s.groups, n / size);
      EXPECT_EQ(s.any, ballot != 0);
      EXPECT_EQ(s.all, std::popcount(ballot) == size);
      EXPECT_EQ(s.ballot, ballot);
      EXPECT_EQ(s.match, match);
      EXPECT_EQ(s.shuffled, in[first + size - 1]);
      EXPECT_EQ(s.up, in[rank > 0 ? t - 1 : t]);
      EXPECT_EQ(s.down, in[rank + 2 < size ? t + 2 : t]);
      EXPECT_EQ(s.crossed, in[first + (rank ^ size / 2) % size]);
      EXPECT_EQ(s.sum, sum);
      EXPECT_EQ(s.largest, largest);
    }
  }
}

TEST(CooperativeGroupsTest, TilesOfEverySize) {
  expect_tiles<1>();
  expect_tiles<2>();
  expect_tiles<8>();
  expect_tiles<16>();
  expect_tiles<32>();
}

__global__ void append_multiples(int* list, int* count, int* sums, int divisor) {
  const int t = thread();
  if (t % divisor != 0) return;
  const cg::coalesced_group group = cg::coalesced_threads();
  int place = 0;
  if (group.thread_rank() == 0) place = atomicAdd(count, static_cast<int>(group.size()));
  place = group.shfl(place, 0) + static_cast<int>(group.thread_rank());
  list[place] = t;
  sums[place] = cg::reduce(group, t, cg::plus<int>());
}

TEST(CooperativeGroupsTest, LanesThatStandTogetherShareOneAtomic) {
  for (const Schedule& schedule : kSchedules)
    for (const int divisor : {1, 2, 3, 31}) {
      std::vector<int> list(100, -1), sums(100, -1);
      int count = 0;
      ASSERT_EQ(run<append_multiples>(schedule, {1, 100}, list.data(), &count, sums.data(), divisor), "");
      EXPECT_EQ(count, (99 / divisor) + 1);
      for (int i = 0; i < count; ++i) {
        int sum = 0;
        for (int t = list[i] / 32 * 32; t < std::min(100, list[i] / 32 * 32 + 32); ++t)
          sum += t % divisor ? 0 : t;
        EXPECT_EQ(sums[i], sum);
      }
      std::sort(list.begin(), list.begin() + count);
      for (int i = 0; i < count; ++i) EXPECT_EQ(list[i], i * divisor);
    }
}

__global__ void tile_that_lacks_a_lane() {
  const auto tile = cg::tiled_partition<8>(cg::this_thread_block());
  if (thread() != 13) tile.shfl(1, 0);
}

TEST(CooperativeGroupsTest, ATileThatLacksALaneIsAFault) {
  for (const Schedule& schedule : kSchedules)
    EXPECT_TRUE(says(run<tile_that_lacks_a_lane>(schedule, {1, 32}), {"0x0000ff00", "shfl", "13"}))
        << name_of(schedule);
}

}  // namespace
}  // namespace emulation
