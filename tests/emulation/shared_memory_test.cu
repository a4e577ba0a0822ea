// Shared memory: fresh for each block, exactly as large as declared, within the architecture's limits.
#include <cmath>

#include "emulation/run.h"
#include "emulation/sanitizer.h"

namespace emulation {
namespace {

__device__ int thread() { return static_cast<int>(threadIdx.x); }

__global__ void read_first(float* out, int* second) {
  TYTO_SHARED_ARRAY(float, kept, 8);
  TYTO_SHARED_DYNAMIC(int, more);
  out[blockIdx.x * 8 + threadIdx.x] = kept[threadIdx.x];
  second[blockIdx.x * 8 + threadIdx.x] = more[threadIdx.x];
  __syncthreads();
  kept[threadIdx.x] = 1;
  more[threadIdx.x] = 1;
}

// Also where an earlier block or launch has left its own values.
TEST(SharedMemoryTest, IsPoisonAtTheStartOfEveryBlock) {
  for (int launch = 0; launch < 2; ++launch) {
    std::vector<float> out(24);
    std::vector<int> second(24);
    ASSERT_EQ(run<read_first>(kForward, {3, 8, 32}, out.data(), second.data()), "");
    for (float v : out) EXPECT_TRUE(std::isnan(v));
    for (int v : second) EXPECT_EQ(v, -1);
  }
}

template <class T, int Size>
__device__ T* instance() {
  TYTO_SHARED_ARRAY(T, kept, Size);
  static_assert(sizeof(kept) == Size * sizeof(T));
  return kept;
}

__global__ void distinct(int64_t* places) {
  TYTO_SHARED_ARRAY(char, one, 3);
  TYTO_SHARED_ARRAY(char, two, 5);
  TYTO_SHARED_DYNAMIC(char, dynamic);
  const void* all[] = {one, two, dynamic, instance<float, 3>(), instance<float, 4>(), instance<int, 3>()};
  for (int i = 0; i < 6; ++i) places[thread() * 6 + i] = reinterpret_cast<int64_t>(all[i]);
}

TEST(SharedMemoryTest, OneArrayADeclarationAndAnInstanceForAllThreads) {
  std::vector<int64_t> places(2 * 6);
  ASSERT_EQ(run<distinct>(kForward, {1, 2, 7}, places.data()), "");
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(places[i], places[6 + i]);
    EXPECT_EQ(places[i] % 128, 0);  // bank 0
    for (int j = 0; j < i; ++j) EXPECT_NE(places[i], places[j]);
  }
}

// The compiler must not see that the index is beyond the array.
__global__ void write_at(int index, bool dynamic, int* out) {
  TYTO_SHARED_ARRAY(int, kept, 5);
  TYTO_SHARED_DYNAMIC(int, more);
  int* array = dynamic ? more : kept;
  array[index] = 7;
  *out = array[index];
}

TEST(SharedMemoryTest, AWriteBeyondAnArrayIsAFault) {
  int out = 0;
  for (const bool dynamic : {false, true}) {
    const int size = dynamic ? 3 : 5;
    EXPECT_EQ(run<write_at>(kForward, {1, 1, 12}, size - 1, dynamic, &out), "");
    EXPECT_EQ(out, 7);
    for (const int index : {size, size + 30, -1, -30}) {
      const auto overrun = [&] { return run<write_at>(kForward, {1, 1, 12}, index, dynamic, &out); };
      if (kAddressSanitizer)
        EXPECT_DEATH(overrun(), "use-after-poison");
      else
        EXPECT_TRUE(
            says(overrun(), {"kernel write_at, block (0, 0, 0): wrote beyond the ends of shared array '",
                             dynamic ? "more' of 12 bytes (shared_memory_test.cu:"
                                     : "kept' of 20 bytes (shared_memory_test.cu:"}));
    }
  }
}

template <int Bytes>
__global__ void use_static(char* out) {
  TYTO_SHARED_ARRAY(char, kept, Bytes);
  TYTO_SHARED_ARRAY(char, one_more, 1);
  kept[0] = one_more[0] = 1;
  *out = kept[0];
}

TEST(SharedMemoryTest, IsLimitedToTheArchitectures) {
  char out = 0;
  constexpr int kFits = (48 << 10) - 1;
  EXPECT_EQ(run<use_static<kFits>>(kForward, {1, 1, 163 * 1024 - kFits - 1}, &out), "");
  EXPECT_TRUE(says(run<use_static<kFits>>(kForward, {1, 1, 163 * 1024 - kFits}, &out),
                   {"49152 static and 117761 dynamic bytes of shared memory; sm_80 has 166912 for a block"}));
  EXPECT_TRUE(says(run<use_static<kFits + 1>>(kForward, {1, 1}, &out),
                   {"49153 bytes of static shared memory; at most 49152 can be declared"}));
  EXPECT_TRUE(says(run<use_static<1>>(kForward, {1, 1, 163 * 1024 + 1}, &out), {"sm_80 has 166912"}));

  const Architecture before = architecture();
  set_architecture({.name = "sm_75", .major = 7, .minor = 5, .shared_bytes_per_block = 64 << 10});
  EXPECT_TRUE(says(run<use_static<1>>(kForward, {1, 1, 65 * 1024}, &out), {"sm_75 has 65536"}));
  set_architecture(before);
}

}  // namespace
}  // namespace emulation
