// The best rate at which a device does something, found by doing it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tyto {

inline constexpr int kPeakTries = 5;  // of a size, after one that warms up; the best counts
inline constexpr int64_t kSmallestProduct = 128, kLargestProduct = 4096;  // rows of a matrix
inline constexpr int64_t kSmallestArray = int64_t{1} << 20, kLargestArray = int64_t{1} << 28;  // bytes

// The best rate of work from sizes that double until they take long enough to be timed well and gain nothing,
// or to `largest`: a slow device is not kept busy for long, and a fast or disturbed one is not underrated.
// `work(size)` is an amount, `seconds(size)` does it and tells how long the best try took.
template <class Work, class Seconds>
double peak_rate(int64_t smallest, int64_t largest, const Work& work, const Seconds& seconds) {
  constexpr double kLongEnough = 5e-3, kGain = 1.1;
  double best = 0;
  for (int64_t size = smallest; size <= largest; size *= 2) {
    const double time = seconds(size), rate = work(size) / std::max(time, 1e-9);
    if (time >= kLongEnough && rate < kGain * best) return std::max(best, rate);
    best = std::max(best, rate);
  }
  return best;
}

// Floating-point operations of [n, n] x [n, n].
inline double product_flop(int64_t n) {
  const auto size = static_cast<double>(n);
  return 2 * size * size * size;
}

}  // namespace tyto
