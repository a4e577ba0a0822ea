// Atomics do what their names say, and an order dependence shows.
#include <functional>
#include <map>

#include "emulation/observer.h"
#include "emulation/run.h"

namespace emulation {
namespace {

template <class T>
__global__ void integers(T* v) {
  const T t = static_cast<T>(threadIdx.x);
  atomicAdd(&v[0], t);
  atomicMin(&v[1], t + 3);
  atomicMax(&v[2], t);
  atomicAnd(&v[3], static_cast<T>(~(T{1} << (t % 16))));
  atomicOr(&v[4], static_cast<T>(T{1} << (t % 16)));
  atomicXor(&v[5], t);
  T seen = v[6] + 1;  // wrong at first
  for (T old = atomicCAS(&v[6], seen, T{0}); old != seen; old = atomicCAS(&v[6], seen, seen + 2)) seen = old;
  if (t == 63) v[7] = atomicExch(&v[7], 5);
}

template <class T>
void expect_integers() {
  for (const Schedule& schedule : kSchedules) {
    std::vector<T> v = {0, 100, 0, static_cast<T>(-1), 0, 0, 0, 9};
    ASSERT_EQ(run<integers<T>>(schedule, {1, 64}, v.data()), "");
    EXPECT_EQ(v, (std::vector<T>{2016, 3, 63, static_cast<T>(~T{0xffff}), 0xffff, 0, 128, 9}));
  }
}

TEST(AtomicsTest, IntegersOfEveryKind) {
  expect_integers<int>();
  expect_integers<unsigned>();
  expect_integers<unsigned long long>();
}

__global__ void wraps(unsigned* up, unsigned* down, int* less) {
  atomicInc(up, 4);
  atomicDec(down, 4);
  atomicSub(less, 3);
}

TEST(AtomicsTest, IncrementAndDecrementWrap) {
  unsigned up = 3, down = 1;
  int less = 0;
  EXPECT_EQ(run<wraps>(kForward, {1, 4}, &up, &down, &less), "");
  EXPECT_EQ(up, 2u);    // 4 0 1 2
  EXPECT_EQ(down, 2u);  // 0 4 3 2
  EXPECT_EQ(less, -12);
}

template <class T>
__global__ void sum(const T* in, T* out) {
  atomicAdd(out, in[threadIdx.x]);
}

// Rounding makes a sum depend on its order: 1, then 63 times half a unit in the last place, or the other way
// round.
TEST(AtomicsTest, AFloatSumDependsOnTheSchedule) {
  std::vector<float> in(64, 0x1p-24f);
  in[0] = 1;
  float forward = 0, reverse = 0;
  EXPECT_EQ(run<sum<float>>(kForward, {1, 64}, in.data(), &forward), "");
  EXPECT_EQ(run<sum<float>>(kReverse, {1, 64}, in.data(), &reverse), "");
  EXPECT_EQ(forward, 1.0f);
  EXPECT_GT(reverse, 1.0f);
}

TEST(AtomicsTest, HalvesAndDoublesAdd) {
  std::vector<__half2> halves(8, __floats2half2_rn(0.5f, -2));
  __half2 half_sum = __floats2half2_rn(0, 0);
  EXPECT_EQ(run<sum<__half2>>(kForward, {1, 8}, halves.data(), &half_sum), "");
  EXPECT_EQ(__low2float(half_sum), 4);
  EXPECT_EQ(__high2float(half_sum), -16);
  std::vector<double> doubles(8, 0.125);
  double double_sum = 0;
  EXPECT_EQ(run<sum<double>>(kForward, {1, 8}, doubles.data(), &double_sum), "");
  EXPECT_EQ(double_sum, 1);
}

class Counting : public Observer {
 public:
  Counting() { set_observer(this); }
  ~Counting() override { set_observer(nullptr); }

  void launch_begins(const LaunchRequest&) override { ++launches; }
  void launch_ends(const LaunchRequest&) override { ++launches_ended; }
  void block_begins(dim3) override { ++blocks; }
  void block_ends(dim3) override { ++blocks_ended; }
  void thread_ends(ThreadId id) override {
    ++threads;
    ends_running_thread &= running_thread() && running_thread()->linear == id.linear;
  }
  void block_barrier() override { ++barriers; }
  void warp_rendezvous(int, uint32_t mask, bool orders) override { ++(orders ? ordering : exchanging)[mask]; }
  void atomic(const void* address, size_t bytes, const void* position, bool) override {
    ++atomics;
    last_atomic = address;
    atomic_bytes += bytes;
    positions.push_back(position);
  }
  void allocated(const void* address, size_t bytes, Space space, int) override {
    shared_bytes += space == Space::Shared ? bytes : 0;
    live.push_back(address);
  }
  void freed(const void* address) override { std::erase(live, address); }

  int launches = 0, launches_ended = 0, blocks = 0, blocks_ended = 0, threads = 0, barriers = 0, atomics = 0;
  bool ends_running_thread = true;
  std::map<uint32_t, int> ordering, exchanging;
  const void* last_atomic = nullptr;
  size_t atomic_bytes = 0, shared_bytes = 0;
  std::vector<const void*> positions, live;
};

__global__ void observed(int* out, bool* own) {
  TYTO_SHARED_ARRAY(int, kept, 3);
  kept[0] = 0;
  int local = 0;
  own[threadIdx.x] = on_running_stack(&local) && !on_running_stack(kept) && !on_running_stack(out);
  __syncthreads();
  __syncwarp();
  __shfl_sync(0xffffffffu, local, 0);
  atomicAdd(out, 1);
}

TEST(ObserverTest, IsToldOfEverything) {
  Counting seen;
  int out = 0;
  bool own[64] = {};
  EXPECT_EQ(run<observed>(kShuffled, {2, 64}, &out, own), "");
  EXPECT_EQ(seen.launches, 1);
  EXPECT_EQ(seen.launches_ended, 1);
  EXPECT_EQ(seen.blocks, 2);
  EXPECT_EQ(seen.blocks_ended, 2);
  EXPECT_EQ(seen.threads, 128);
  EXPECT_TRUE(seen.ends_running_thread);
  EXPECT_EQ(seen.barriers, 2);
  EXPECT_EQ(seen.ordering, (std::map<uint32_t, int>{{0xffffffffu, 4}}));
  EXPECT_EQ(seen.exchanging, (std::map<uint32_t, int>{{0xffffffffu, 4}}));
  EXPECT_EQ(seen.atomics, 128);
  EXPECT_EQ(seen.atomic_bytes, 128 * sizeof(int));
  EXPECT_EQ(seen.last_atomic, &out);
  EXPECT_EQ(std::ranges::count(seen.positions, seen.positions[0]), 128);
  EXPECT_EQ(seen.shared_bytes, 2 * 3 * sizeof(int));
  EXPECT_TRUE(seen.live.empty());
  EXPECT_TRUE(std::ranges::all_of(own, std::identity()));
  EXPECT_EQ(running_thread(), nullptr);
  EXPECT_FALSE(on_running_stack(&out));
}

}  // namespace
}  // namespace emulation
