#include "engine/cuda/libraries/stopwatch.h"

#include <algorithm>
#include <array>

namespace tyto::cuda {
namespace {

constexpr int kRuns = 5;

int64_t l2_bytes() {
  int device = 0, bytes = 0;
  check(cudaGetDevice(&device), "ask for the current CUDA device");
  check(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, device), "ask for the size of the L2 cache");
  return bytes;
}

}  // namespace

Stopwatch::Stopwatch() : cache_sized_(2 * l2_bytes()) {}

float Stopwatch::time(const std::function<void(cudaStream_t)>& work) {
  work(stream_);  // loads its kernels
  std::array<float, kRuns> times{};
  for (float& t : times) {
    check(cudaMemsetAsync(cache_sized_.data(), 0, static_cast<size_t>(cache_sized_.bytes()), stream_),
          "fill memory");
    start_.record(stream_);
    work(stream_);
    stop_.record(stream_);
    stop_.wait();
    t = stop_.milliseconds_since(start_);
  }
  std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
  return times[kRuns / 2];
}

}  // namespace tyto::cuda
