// cp.async's twin copies at the wait and no earlier.
#include "kernels/common/async_copy.cuh"

#include "emulation/run.h"

namespace emulation {
namespace {

using tyto::kernels::commit_async;
using tyto::kernels::copy_async;
using tyto::kernels::wait_async;

__device__ int thread() { return static_cast<int>(threadIdx.x); }

template <int Bytes>
__global__ void through_shared(const int* in, int* out, int valid, bool with_commit, bool with_wait) {
  constexpr int kWords = Bytes / 4;
  TYTO_SHARED_ARRAY(int, kept, 32 * kWords);
  const int t = thread();
  copy_async<Bytes>(&kept[t * kWords], &in[t * kWords], valid);
  if (with_commit) commit_async();
  if (with_wait) wait_async<0>();
  __syncthreads();
  for (int w = 0; w < kWords; ++w) out[t * kWords + w] = kept[(31 - t) * kWords + w];
}

template <int Bytes>
void expect_through_shared() {
  constexpr int kWords = Bytes / 4, kSize = 32 * kWords;
  std::vector<int> in(kSize), out(kSize);
  for (int i = 0; i < kSize; ++i) in[i] = i + 1;
  const auto copied = [&](int valid, bool with_commit, bool with_wait) {
    EXPECT_EQ(
        run<through_shared<Bytes>>(kForward, {1, 32}, in.data(), out.data(), valid, with_commit, with_wait),
        "");
    return out;
  };
  const auto expected = [&](int valid_words) {
    std::vector<int> words(kSize);
    for (int t = 0; t < 32; ++t)
      for (int w = 0; w < valid_words; ++w) words[t * kWords + w] = in[(31 - t) * kWords + w];
    return words;
  };
  EXPECT_EQ(copied(Bytes, true, true), expected(kWords));
  for (int words = 0; words < kWords; ++words) EXPECT_EQ(copied(words * 4, true, true), expected(words));
  const std::vector<int> poison(kSize, -1);
  EXPECT_EQ(copied(Bytes, true, false), poison);
  EXPECT_EQ(copied(Bytes, false, true), poison);
}

TEST(AsyncCopyTest, ArrivesWithTheWaitAndWithoutItNever) {
  expect_through_shared<4>();
  expect_through_shared<8>();
  expect_through_shared<16>();
}

__global__ void two_groups(const int* in, int* out) {
  TYTO_SHARED_ARRAY(int, kept, 2);
  copy_async<4>(&kept[0], &in[0]);
  commit_async();
  copy_async<4>(&kept[1], &in[1]);
  commit_async();
  wait_async<1>();
  out[0] = kept[0], out[1] = kept[1];
  wait_async<0>();
  out[2] = kept[1];
}

TEST(AsyncCopyTest, AWaitLeavesTheLatestGroupsPending) {
  const std::vector<int> in = {5, 6};
  std::vector<int> out(3);
  EXPECT_EQ(run<two_groups>(kForward, {1, 1}, in.data(), out.data()), "");
  EXPECT_EQ(out, (std::vector{5, -1, 6}));
}

__global__ void wrong_copy(int kind, const int* in, int* out, int offset) {
  TYTO_SHARED_ARRAY(int, kept, 8);
  if (kind == 0) copy_async<16>(&kept[offset], in);
  if (kind == 1) copy_async<16>(kept, &in[offset]);
  if (kind == 2) copy_async<16>(kept, in, 17);
  if (kind == 3) copy_async<16>(out, in);
}

TEST(AsyncCopyTest, RefusesWhatTheHardwareCannotDo) {
  alignas(16) int in[8] = {}, out[8] = {};
  const auto fault = [&](int kind) { return run<wrong_copy>(kForward, {1, 1}, kind, &in[0], &out[0], 2); };
  EXPECT_TRUE(says(fault(0), {"of 16 bytes whose addresses are no multiples of 16"}));
  EXPECT_TRUE(says(fault(1), {"of 16 bytes whose addresses are no multiples of 16"}));
  EXPECT_TRUE(says(fault(2), {"of 16 bytes, of which 17 are valid"}));
  EXPECT_TRUE(says(fault(3), {"an asynchronous copy to memory that is not shared"}));
}

}  // namespace
}  // namespace emulation
