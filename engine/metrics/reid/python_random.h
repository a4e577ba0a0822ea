// Python's `random` for a small whole seed: what random.seed(seed) makes choice() and sample() draw (CPython
// from 3.2 on), so that experiments which Python scripts drew can be repeated.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace tyto {

class PythonRandom {
 public:
  explicit PythonRandom(uint32_t seed);

  // random.choice(range(n)), 1 <= n <= 2^31
  int64_t choice(int64_t n);

  // random.sample(range(n), k), in the order drawn; 0 <= k <= n <= 2^31
  std::vector<int64_t> sample(int64_t n, int64_t k);

 private:
  std::mt19937 generator_;
};

}  // namespace tyto
