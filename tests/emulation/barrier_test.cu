// Barriers, schedules and the ways in which a block can get stuck.
#include <numeric>

#include "emulation/run.h"

namespace emulation {
namespace {

__device__ int linear_thread() {
  return static_cast<int>((threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x);
}

__global__ void turn_round(const int* in, int* out, int n, bool with_barrier) {
  TYTO_SHARED_ARRAY(int, kept, 1024);
  const int t = linear_thread();
  kept[t] = in[blockIdx.x * n + t];
  if (with_barrier) __syncthreads();
  out[blockIdx.x * n + t] = kept[n - 1 - t];
}

std::vector<int> turned_round(const Schedule& schedule, dim3 block, bool with_barrier) {
  const int n = static_cast<int>(block.x * block.y * block.z), blocks = 3;
  std::vector<int> in(n * blocks), out(n * blocks, -2);
  std::iota(in.begin(), in.end(), 0);
  EXPECT_EQ(run<turn_round>(schedule, {blocks, block}, in.data(), out.data(), n, with_barrier), "");
  return out;
}

std::vector<int> expected_round(int n) {
  std::vector<int> expected;
  for (int b = 0; b < 3; ++b)
    for (int t = 0; t < n; ++t) expected.push_back(b * n + n - 1 - t);
  return expected;
}

TEST(BarrierTest, AllThreadsSeeWhatAllHaveWritten) {
  for (const Schedule& schedule : kSchedules)
    for (const dim3 block :
         {dim3(1), dim3(31), dim3(32), dim3(33), dim3(77), dim3(1024), dim3(3, 5, 7), dim3(1, 1, 64)})
      EXPECT_EQ(turned_round(schedule, block, true),
                expected_round(static_cast<int>(block.x * block.y * block.z)))
          << name_of(schedule);
}

// In index order a thread of the first half reads what nobody has written yet, and one of the second half
// what is there; in reverse order it is the other way round. No single schedule sees more than half of it.
TEST(BarrierTest, AMissingBarrierShowsAndDependsOnTheSchedule) {
  const auto wrong = [](const Schedule& schedule) {
    const std::vector<int> out = turned_round(schedule, 128, false), expected = expected_round(128);
    std::vector<bool> at;
    for (size_t i = 0; i < out.size(); ++i) at.push_back(out[i] != expected[i]);
    return at;
  };
  const std::vector<bool> forward = wrong(kForward), reverse = wrong(kReverse);
  for (size_t i = 0; i < forward.size(); ++i) {
    EXPECT_EQ(forward[i], i % 128 < 64);
    EXPECT_EQ(reverse[i], i % 128 >= 64);
  }
  EXPECT_NE(wrong(kShuffled), forward);
  EXPECT_NE(wrong(kShuffled), reverse);
  EXPECT_NE(wrong(kWarpAhead), forward);
}

__global__ void order_of_arrival(int* order) {
  TYTO_SHARED_ARRAY(int, arrived, 1);
  if (linear_thread() == 0) *arrived = 0;
  if (linear_thread() < 32) __syncwarp();  // so that the first warp is the last to come
  __syncthreads();
  order[atomicAdd(arrived, 1)] = linear_thread();
}

std::vector<int> arrivals(const Schedule& schedule, int threads = 100) {
  std::vector<int> order(threads, -1);
  EXPECT_EQ(run<order_of_arrival>(schedule, {1, static_cast<unsigned>(threads)}, order.data()), "");
  return order;
}

TEST(ScheduleTest, ForwardAndReverseGoByThreadIndexAfterABarrierToo) {
  std::vector<int> rising(100);
  std::iota(rising.begin(), rising.end(), 0);
  EXPECT_EQ(arrivals(kForward), rising);
  std::reverse(rising.begin(), rising.end());
  EXPECT_EQ(arrivals(kReverse), rising);
}

TEST(ScheduleTest, ShufflesDependOnTheSeedAloneAndVisitEveryThread) {
  const std::vector<int> one = arrivals({Schedule::Order::Shuffled, 1}),
                         two = arrivals({Schedule::Order::Shuffled, 2});
  EXPECT_EQ(one, arrivals({Schedule::Order::Shuffled, 1}));
  EXPECT_NE(one, two);
  EXPECT_TRUE(std::ranges::is_permutation(one, arrivals(kForward)));
  EXPECT_FALSE(std::ranges::is_sorted(arrivals(kShuffled, 32)));  // lanes, too
}

__global__ void log_steps(int* log, int* logged) {
  for (int step = 0; step < 3; ++step) {
    if (threadIdx.x % 32 == 0) log[atomicAdd(logged, 1)] = linear_thread() / 32;
    __syncwarp();
  }
}

TEST(ScheduleTest, OneWarpRunsToItsEndBeforeAnyOtherStarts) {
  std::vector<int> log(12, -1);
  int logged = 0;
  EXPECT_EQ(run<log_steps>(kWarpAhead, {1, 128}, log.data(), &logged), "");
  for (int i = 0; i < 12; ++i) EXPECT_EQ(log[i], log[i / 3 * 3]) << i;
  logged = 0;
  EXPECT_EQ(run<log_steps>(kForward, {1, 128}, log.data(), &logged), "");
  EXPECT_EQ(log, (std::vector{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}));
}

__global__ void log_blocks(int* log, int* logged) {
  log[atomicAdd(logged, 1)] =
      static_cast<int>(blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z));
}

TEST(ScheduleTest, BlocksComeInEveryOrder) {
  const auto order = [](const Schedule& schedule) {
    std::vector<int> log(30, -1);
    int logged = 0;
    EXPECT_EQ(run<log_blocks>(schedule, {dim3(5, 3, 2), 1}, log.data(), &logged), "");
    return log;
  };
  std::vector<int> rising(30);
  std::iota(rising.begin(), rising.end(), 0);
  EXPECT_EQ(order(kForward), rising);
  EXPECT_TRUE(std::ranges::is_permutation(order(kShuffled), rising));
  EXPECT_NE(order(kShuffled), rising);
  std::reverse(rising.begin(), rising.end());
  EXPECT_EQ(order(kReverse), rising);
}

TEST(ScheduleTest, HasANameAndIsReadFromIt) {
  for (const Schedule& schedule : kSchedules)
    EXPECT_EQ(name_of(schedule_from(name_of(schedule))), name_of(schedule));
  for (const char* wrong :
       {"", "backward", "forward:1", "shuffled", "shuffled:", "shuffled:1x", "warp-ahead:-1"})
    EXPECT_THROW(schedule_from(wrong), std::invalid_argument) << wrong;
}

__global__ void votes(int* any, int* all, int* count, int threshold) {
  const int vote = linear_thread() < threshold ? 4 : 0;
  any[threadIdx.x] = __syncthreads_or(vote);
  all[threadIdx.x] = __syncthreads_and(vote);
  count[threadIdx.x] = __syncthreads_count(vote);
}

TEST(BarrierTest, CountsVotes) {
  for (const Schedule& schedule : kSchedules)
    for (const int threshold : {0, 1, 49, 50}) {
      std::vector<int> any(50, -1), all(50, -1), count(50, -1);
      EXPECT_EQ(run<votes>(schedule, {1, 50}, any.data(), all.data(), count.data(), threshold), "");
      EXPECT_EQ(any, std::vector<int>(50, threshold > 0));
      EXPECT_EQ(all, std::vector<int>(50, threshold == 50));
      EXPECT_EQ(count, std::vector<int>(50, threshold));
    }
}

__global__ void early_return(int* out, int stay) {
  TYTO_SHARED_ARRAY(int, kept, 64);
  const int t = linear_thread();
  if (t >= stay) return;
  kept[t] = t;
  __syncthreads();
  out[t] = kept[stay - 1 - t];
}

TEST(BarrierTest, ThreadsThatHaveEndedAreNotWaitedFor) {
  for (const Schedule& schedule : kSchedules)
    for (const int stay : {1, 31, 33, 63}) {
      std::vector<int> out(64, -1), expected(64, -1);
      for (int t = 0; t < stay; ++t) expected[t] = stay - 1 - t;
      EXPECT_EQ(run<early_return>(schedule, {1, 64}, out.data(), stay), "");
      EXPECT_EQ(out, expected) << name_of(schedule);
    }
}

constexpr int kFirstBarrier = __LINE__ + 3;
__global__ void divergent() {
  if (threadIdx.x < 20) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST(BarrierTest, ADivergentOneIsAFaultThatSaysWhoWaitsWhere) {
  for (const Schedule& schedule : kSchedules)
    EXPECT_TRUE(
        says(run<divergent>(schedule, {2, 64}),
             {"kernel divergent, block (", "divergent barrier: 20 threads wait in __syncthreads at ",
              at("barrier_test.cu", kFirstBarrier) + ", the first of them thread (0, 0, 0); 44 threads",
              at("barrier_test.cu", kFirstBarrier + 2) + ", the first of them thread (20, 0, 0)"}));
}

__global__ void half_a_warp_elsewhere() {
  if (threadIdx.x < 16)
    __syncthreads();
  else
    __syncwarp();
}

TEST(BarrierTest, ADeadlockSaysWhoWaitsWhere) {
  for (const Schedule& schedule : kSchedules)
    EXPECT_TRUE(says(run<half_a_warp_elsewhere>(schedule, {1, 32}),
                     {"nothing can run any more", "16 threads wait in __syncthreads at barrier_test.cu:",
                      "16 threads wait in __syncwarp at barrier_test.cu:"}));
}

// A thousand fibres a launch would soon be more mappings than a process may have.
TEST(BarrierTest, AFaultLeavesNothingBehind) {
  for (int i = 0; i < 100; ++i) EXPECT_NE(run<divergent>(kForward, {1, 1024}), "");
  EXPECT_EQ(turned_round(kForward, 1024, true), expected_round(1024));
}

TEST(LaunchTest, RefusesABlockBeyondTheArchitecture) {
  EXPECT_TRUE(
      says(run<divergent>(kForward, {1, dim3(32, 33)}), {"a block of 1056 threads; sm_80 takes 1 to 1024"}));
  EXPECT_TRUE(says(run<divergent>(kForward, {1, dim3(0)}), {"a block of 0 threads"}));
}

TEST(LaunchTest, CountsLaunchesByKernel) {
  const auto launches = [] {
    for (const LaunchCount& count : launch_counts())
      if (count.kernel == "log_blocks") return count.launches;
    return int64_t{-1};
  };
  std::vector<int> log(1);
  int logged = 0;
  run<log_blocks>(kForward, {1, 1}, log.data(), &logged);
  const int64_t before = launches();
  logged = 0;
  run<log_blocks>(kForward, {1, 1}, log.data(), &logged);
  EXPECT_EQ(launches(), before + 1);
}

}  // namespace
}  // namespace emulation
