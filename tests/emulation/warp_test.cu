// Shuffles, votes and reductions of a warp, and what the emulation refuses in them.
#include <bit>
#include <functional>

#include "emulation/run.h"

namespace emulation {
namespace {

constexpr unsigned kAll = 0xffffffffu;

__device__ int thread() { return static_cast<int>(threadIdx.x); }

template <class T>
__global__ void shuffles(const T* in, T* indexed, T* up, T* down, T* crossed, const int* sources, int delta,
                         int width) {
  const int t = thread();
  indexed[t] = __shfl_sync(kAll, in[t], sources[t], width);
  up[t] = __shfl_up_sync(kAll, in[t], delta, width);
  down[t] = __shfl_down_sync(kAll, in[t], delta, width);
  crossed[t] = __shfl_xor_sync(kAll, in[t], delta, width);
}

template <class T>
void expect_shuffles(std::function<T(int)> value, std::function<double(T)> number) {
  for (const Schedule& schedule : kSchedules)
    for (const int width : {1, 2, 8, 32})
      for (const int delta : {0, 1, 3, 5, 16, 31}) {
        std::vector<T> in(96), indexed(96), up(96), down(96), crossed(96);
        std::vector<int> sources(96);
        for (int t = 0; t < 96; ++t) in[t] = value(t), sources[t] = (t * 7 + 40) % 64;
        ASSERT_EQ(run<shuffles<T>>(schedule, {1, 96}, in.data(), indexed.data(), up.data(), down.data(),
                                   crossed.data(), sources.data(), delta, width),
                  "");
        for (int t = 0; t < 96; ++t) {
          const int warp = t / 32 * 32, lane = t % 32, first = lane / width * width;
          const auto from = [&](int source) { return number(in[warp + source]); };
          EXPECT_EQ(number(indexed[t]), from(first + sources[t] % width));
          EXPECT_EQ(number(up[t]), from(lane - delta >= first ? lane - delta : lane));
          EXPECT_EQ(number(down[t]), from(lane + delta < first + width ? lane + delta : lane));
          EXPECT_EQ(number(crossed[t]), from((lane ^ delta) < first + width ? lane ^ delta : lane));
        }
      }
}

TEST(WarpTest, ShufflesFollowThePtxRulesForEveryWidth) {
  expect_shuffles<int>([](int t) { return t * t - 7; }, [](int v) { return v; });
  expect_shuffles<float>([](int t) { return t * 0.5f; }, [](float v) { return v; });
  expect_shuffles<double>([](int t) { return t * 1e100; }, [](double v) { return v; });
  expect_shuffles<unsigned long long>([](int t) { return (1ull << 40) * t; },
                                      [](unsigned long long v) { return v; });
  expect_shuffles<__half>([](int t) { return __float2half(t * 0.25f); },
                          [](__half v) { return __half2float(v); });
  expect_shuffles<__nv_bfloat16>([](int t) { return __float2bfloat16(t * 2.0f); },
                                 [](__nv_bfloat16 v) { return __bfloat162float(v); });
  expect_shuffles<__half2>([](int t) { return __floats2half2_rn(t, -t); },
                           [](__half2 v) { return __high2float(v); });
}

__global__ void sums(const int* in, int* out, int steps) {
  int sum = in[thread()];
  for (int step = 0; step < steps; ++step)
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(kAll, sum, lanes);
  out[thread()] = sum;
}

// A lane that runs ahead must not overwrite what the others have yet to read.
TEST(WarpTest, ShufflesInALoopDoNotMix) {
  for (const Schedule& schedule : kSchedules) {
    std::vector<int> in(1024), out(1024);
    for (int t = 0; t < 1024; ++t) in[t] = t;
    ASSERT_EQ(run<sums>(schedule, {1, 1024}, in.data(), out.data(), 3), "");
    for (int t = 0; t < 1024; ++t) EXPECT_EQ(out[t], (t / 32 * 1024 + 496) * 1024);
  }
}

struct Votes {
  unsigned ballot, any, all, match, match_all;
  int all_equal;
  unsigned sum, smallest, largest, conjunction, disjunction, parity;
  int signed_sum, signed_smallest, signed_largest;
};

__global__ void votes(const int* in, Votes* out, unsigned even, unsigned odd) {
  const int t = thread(), v = in[t];
  const unsigned mask = t % 2 == 0 ? even : odd, u = static_cast<unsigned>(v);
  Votes& o = out[t];
  o.ballot = __ballot_sync(mask, v > 3);
  o.any = __any_sync(mask, v > 3);
  o.all = __all_sync(mask, v > 3);
  o.match = __match_any_sync(mask, v);
  o.match_all = __match_all_sync(mask, v, &o.all_equal);
  o.sum = __reduce_add_sync(mask, u);
  o.smallest = __reduce_min_sync(mask, u);
  o.largest = __reduce_max_sync(mask, u);
  o.conjunction = __reduce_and_sync(mask, u);
  o.disjunction = __reduce_or_sync(mask, u);
  o.parity = __reduce_xor_sync(mask, u);
  o.signed_sum = __reduce_add_sync(mask, v);
  o.signed_smallest = __reduce_min_sync(mask, v);
  o.signed_largest = __reduce_max_sync(mask, v);
}

TEST(WarpTest, VotesMatchesAndReductionsEqualTheLoops) {
  for (const Schedule& schedule : kSchedules)
    for (const int spread : {0, 1, 5, 9}) {  // 0: all equal
      std::vector<int> in(64);
      for (int t = 0; t < 64; ++t) in[t] = spread ? (t * 13 + 5) % spread * (t % 3 ? 1 : -1) + 2 : 4;
      std::vector<Votes> out(64);
      const unsigned even = 0x55555555u, odd = 0xaaaaaaaau;
      ASSERT_EQ(run<votes>(schedule, {1, 64}, in.data(), out.data(), even, odd), "");
      for (int t = 0; t < 64; ++t) {
        const unsigned mask = t % 2 ? odd : even;
        Votes e{0, 0, 1, 0, 0, 1, 0, ~0u, 0, ~0u, 0, 0, 0, INT32_MAX, INT32_MIN};
        for (int l = 0; l < 32; ++l) {
          if (!(mask >> l & 1)) continue;
          const int v = in[t / 32 * 32 + l];
          const auto u = static_cast<unsigned>(v);
          e.ballot |= static_cast<unsigned>(v > 3) << l;
          e.any |= v > 3, e.all &= v > 3;
          e.match |= static_cast<unsigned>(v == in[t]) << l;
          e.all_equal &= v == in[t];
          e.sum += u, e.smallest = std::min(e.smallest, u), e.largest = std::max(e.largest, u);
          e.conjunction &= u, e.disjunction |= u, e.parity ^= u;
          e.signed_sum += v;
          e.signed_smallest = std::min(e.signed_smallest, v),
          e.signed_largest = std::max(e.signed_largest, v);
        }
        e.match_all = e.all_equal ? mask : 0;
        const Votes& o = out[t];
        EXPECT_EQ(o.ballot, e.ballot);
        EXPECT_EQ(o.any, e.any);
        EXPECT_EQ(o.all, e.all);
        EXPECT_EQ(o.match, e.match);
        EXPECT_EQ(o.match_all, e.match_all);
        EXPECT_EQ(o.all_equal, e.all_equal);
        EXPECT_EQ(o.sum, e.sum);
        EXPECT_EQ(o.smallest, e.smallest);
        EXPECT_EQ(o.largest, e.largest);
        EXPECT_EQ(o.conjunction, e.conjunction);
        EXPECT_EQ(o.disjunction, e.disjunction);
        EXPECT_EQ(o.parity, e.parity);
        EXPECT_EQ(o.signed_sum, e.signed_sum);
        EXPECT_EQ(o.signed_smallest, e.signed_smallest);
        EXPECT_EQ(o.signed_largest, e.signed_largest);
      }
    }
}

__global__ void shuffle_with(unsigned mask, int source, int stay) {
  if (thread() >= stay) return;
  __shfl_sync(mask, thread(), source);
}

TEST(WarpTest, RefusesALaneOutsideItsOwnMask) {
  for (const Schedule& schedule : kSchedules)
    EXPECT_TRUE(says(run<shuffle_with>(schedule, {1, 32}, 0x7fffffffu, 0, 32),
                     {"kernel shuffle_with, block (0, 0, 0), thread (31, 0, 0), warp_test.cu:",
                      "__shfl_sync by lane 31, which its own mask 0x7fffffff does not name"}));
}

TEST(WarpTest, RefusesAMaskThatNamesALaneThatHasEnded) {
  for (const Schedule& schedule : kSchedules)
    EXPECT_TRUE(says(run<shuffle_with>(schedule, {1, 32}, kAll, 0, 31), {"__shfl_sync with mask 0xffffffff"}))
        << name_of(schedule);
  EXPECT_TRUE(
      says(run<shuffle_with>(kReverse, {1, 32}, kAll, 0, 31),
           {"thread (30, 0, 0)", "with mask 0xffffffff names lanes that have ended or never were: 31"}));
  EXPECT_TRUE(says(run<shuffle_with>(kForward, {1, 32}, kAll, 0, 31),
                   {"thread (31, 0, 0)", "ends, but lanes 0, 1, 2, ",
                    "29, 30 of its warp wait for it in __shfl_sync with mask 0xffffffff"}));
}

TEST(WarpTest, RefusesALaneThatABlockOf40NeverHad) {
  EXPECT_TRUE(says(run<shuffle_with>(kForward, {1, 40}, kAll, 0, 40),
                   {"thread (32, 0, 0)", "names lanes that have ended or never were: 8, 9, 10"}));
}

TEST(WarpTest, RefusesTheValueOfALaneThatTakesNoPart) {
  EXPECT_TRUE(says(run<shuffle_with>(kForward, {1, 16}, 0x0000ffffu, 20, 16),
                   {"__shfl_sync by lane 0 takes the value of lane 20, which its mask does not name"}));
}

__global__ void half_comes(unsigned mask) {
  if (thread() % 2 == 0)
    __shfl_sync(mask, 1, 0);
  else
    __ballot_sync(mask, 1);
}

TEST(WarpTest, SaysWhichLanesNeverMeet) {
  for (const Schedule& schedule : kSchedules)
    EXPECT_TRUE(says(
        run<half_comes>(schedule, {1, 32}, kAll),
        {"nothing can run any more", "16 threads wait in __shfl_sync", "16 threads wait in __ballot_sync"}));
  EXPECT_EQ(run<half_comes>(kForward, {1, 1}, 1u), "");
}

__global__ void two_lines() {
  if (thread() < 16)
    __shfl_sync(kAll, 1, 0);
  else
    __shfl_sync(kAll, 1, 0);
}

TEST(WarpTest, LanesAtDifferentLinesDoNotMeet) {
  for (const Schedule& schedule : kSchedules)
    EXPECT_TRUE(says(run<two_lines>(schedule, {1, 32}),
                     {"nothing can run any more: 16 threads wait in __shfl_sync at ",
                      "; 16 threads wait in __shfl_sync at "}));
}

__global__ void neighbours(int* out, bool with_barrier) {
  TYTO_SHARED_ARRAY(int, kept, 64);
  const int t = thread();
  kept[t] = t;
  if (with_barrier) __syncwarp();
  out[t] = kept[t ^ 1];
}

TEST(WarpTest, AMissingSyncwarpShowsAndDependsOnTheSchedule) {
  std::vector<int> right(64), forward(64), reverse(64);
  for (int t = 0; t < 64; ++t) right[t] = t ^ 1;
  for (const Schedule& schedule : kSchedules) {
    EXPECT_EQ(run<neighbours>(schedule, {1, 64}, forward.data(), true), "");
    EXPECT_EQ(forward, right);
  }
  run<neighbours>(kForward, {1, 64}, forward.data(), false);
  run<neighbours>(kReverse, {1, 64}, reverse.data(), false);
  for (int t = 0; t < 64; ++t) {
    EXPECT_EQ(forward[t], t % 2 ? t - 1 : -1);  // -1: the poison of shared memory
    EXPECT_EQ(reverse[t], t % 2 ? -1 : t + 1);
  }
}

__global__ void sync_after_return(int* out) {
  if (thread() % 3 == 0) return;
  __syncwarp();
  out[thread()] = 1;
}

TEST(WarpTest, SyncwarpDoesNotWaitForLanesThatHaveEnded) {
  for (const Schedule& schedule : kSchedules) {
    std::vector<int> out(45);
    EXPECT_EQ(run<sync_after_return>(schedule, {1, 45}, out.data()), "");
    for (int t = 0; t < 45; ++t) EXPECT_EQ(out[t], t % 3 != 0);
  }
}

__global__ void active(unsigned* out) {
  const int t = thread();
  if (t % 4 == 0)
    out[t] = __activemask();
  else if (t % 4 == 1)
    out[t] = __activemask();
  else
    __syncwarp(0xccccccccu);
}

TEST(WarpTest, ActiveLanesAreThoseThatStandTogether) {
  for (const Schedule& schedule : kSchedules) {
    std::vector<unsigned> out(64);
    EXPECT_EQ(run<active>(schedule, {1, 64}, out.data()), "");
    for (int t = 0; t < 64; ++t) EXPECT_EQ(out[t], t % 4 == 0 ? 0x11111111u : t % 4 == 1 ? 0x22222222u : 0u);
  }
}

}  // namespace
}  // namespace emulation
