#include "kernels/detection/best_keys_cpu.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tyto::kernels {
namespace {

// The score half of a key, in digits of 11, 11 and 10 bits, the lowest first.
constexpr int kDigits = 3, kDigitBits = 11, kScoreBits = 32;
constexpr size_t kBins = size_t{1} << kDigitBits;

size_t digit(uint64_t key, int d) { return key >> (kScoreBits + d * kDigitBits) & (kBins - 1); }

using Histogram = std::array<int32_t, kBins>;

// Without those that at least `most` others stand before by the highest digit alone.
std::span<uint64_t> without_the_worst(std::span<uint64_t> keys, int64_t most) {
  Histogram found = {};
  for (const uint64_t key : keys) ++found[digit(key, kDigits - 1)];
  size_t last = 0;
  for (int64_t before = 0; before + found[last] < most; ++last) before += found[last];
  const auto end = std::remove_if(keys.begin(), keys.end(),
                                  [last](uint64_t key) { return digit(key, kDigits - 1) > last; });
  return keys.first(static_cast<size_t>(end - keys.begin()));
}

// Keys of one score keep their order, which is that of their indices.
void sort_by_digit(std::span<const uint64_t> keys, int d, Histogram& found, uint64_t* sorted) {
  int32_t begin = 0;
  for (int32_t& bin : found) begin += std::exchange(bin, begin);
  for (const uint64_t key : keys) sorted[found[digit(key, d)]++] = key;
}

}  // namespace

std::span<const uint64_t> best_keys(std::span<uint64_t> keys, int64_t most, uint64_t* spare) {
  const auto best = [most](std::span<uint64_t> sorted) {
    return sorted.first(static_cast<size_t>(std::min<int64_t>(most, std::ssize(sorted))));
  };
  if (std::ssize(keys) > most && most > 0) keys = without_the_worst(keys, most);
  constexpr size_t kWorthHistograms = 512;
  if (keys.size() < kWorthHistograms) {
    std::sort(keys.begin(), keys.end());
    return best(keys);
  }
  std::array<Histogram, kDigits> found = {};
  for (const uint64_t key : keys)
    for (int d = 0; d < kDigits; ++d) ++found[static_cast<size_t>(d)][digit(key, d)];
  const std::span<uint64_t> other = {spare, keys.size()};
  sort_by_digit(keys, 0, found[0], spare);
  sort_by_digit(other, 1, found[1], keys.data());
  sort_by_digit(keys, 2, found[2], spare);
  return best(other);
}

}  // namespace tyto::kernels
