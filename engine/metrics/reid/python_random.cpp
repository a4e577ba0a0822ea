#include "engine/metrics/reid/python_random.h"

#include <bit>
#include <numeric>
#include <unordered_set>
#include <utility>

namespace tyto {
namespace {

// MT19937's state from a key of one word: init_by_array of Matsumoto and Nishimura's mt19937ar, which Python
// seeds by. (std::seed_seq mixes in another way.)
struct InitByArray {
  using result_type = uint32_t;
  uint32_t key;

  template <class Words>
  void generate(Words first, Words last) {
    const auto n = static_cast<uint32_t>(last - first);
    first[0] = 19650218;
    for (uint32_t i = 1; i < n; ++i) first[i] = 1812433253U * mixed(first[i - 1]) + i;
    uint32_t i = 1;
    const auto step = [&] {
      if (++i < n) return;
      first[0] = first[n - 1];
      i = 1;
    };
    for (uint32_t k = 0; k < n; ++k, step()) first[i] = (first[i] ^ (mixed(first[i - 1]) * 1664525U)) + key;
    for (uint32_t k = 1; k < n; ++k, step()) first[i] = (first[i] ^ (mixed(first[i - 1]) * 1566083941U)) - i;
    first[0] = 0x80000000U;
  }

  static uint32_t mixed(uint32_t word) { return word ^ (word >> 30); }
};

std::mt19937 seeded(uint32_t seed) {
  InitByArray words{seed};
  return std::mt19937(words);
}

// sample() keeps a set of what is drawn where that takes less memory than a list of everything.
int64_t largest_list(int64_t k) {
  int64_t size = 21;
  if (k <= 5) return size;
  int64_t table = 1;
  while (table < 3 * k) table *= 4;
  return size + table;
}

}  // namespace

PythonRandom::PythonRandom(uint32_t seed) : generator_(seeded(seed)) {}

// The upper bits of a word, as many as n has; drawn again while they are no index.
int64_t PythonRandom::choice(int64_t n) {
  const int unused = 32 - static_cast<int>(std::bit_width(static_cast<uint32_t>(n)));
  int64_t index = n;
  while (index >= n) index = static_cast<int64_t>(generator_()) >> unused;
  return index;
}

std::vector<int64_t> PythonRandom::sample(int64_t n, int64_t k) {
  std::vector<int64_t> drawn;
  if (n <= largest_list(k)) {
    std::vector<int64_t> left(static_cast<size_t>(n));
    std::iota(left.begin(), left.end(), int64_t{0});
    while (static_cast<int64_t>(drawn.size()) < k) {
      const auto at = static_cast<size_t>(choice(static_cast<int64_t>(left.size())));
      drawn.push_back(left[at]);
      left[at] = left.back();
      left.pop_back();
    }
    return drawn;
  }
  std::unordered_set<int64_t> seen;
  while (static_cast<int64_t>(drawn.size()) < k) {
    const int64_t index = choice(n);
    if (seen.insert(index).second) drawn.push_back(index);
  }
  return drawn;
}

}  // namespace tyto
