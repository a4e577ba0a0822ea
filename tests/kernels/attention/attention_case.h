// Random scores with every kind of bias and mask, and what attention makes of them, in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention/masked_softmax.h"
#include "kernels/cuda/random_values.h"

namespace tyto::kernels {

struct AttentionCase {
  AttentionShape shape;
  int64_t bias_batch = 0, bias_heads = 1;    // 0: no bias
  int64_t mask_batch = 0, mask_queries = 1;  // 0: no mask

  std::vector<float> scores() const { return scaled(random_floats(shape.rows() * shape.keys, 1)); }
  std::vector<float> bias() const {
    return scaled(random_floats(bias_batch * bias_heads * shape.queries * shape.keys, 2));
  }
  // Every third key is left out, all keys of the last query.
  std::vector<int32_t> mask() const {
    std::vector<int32_t> kept(static_cast<size_t>(mask_batch * mask_queries * shape.keys));
    const auto first_of_last = static_cast<int64_t>(kept.size()) - (mask_queries > 1 ? shape.keys : 0);
    for (size_t i = 0; i < kept.size(); ++i)
      kept[i] = static_cast<int64_t>(i) < first_of_last && i % 3 != 1 ? static_cast<int32_t>(i % 5) - 7 : 0;
    return kept;
  }

  static std::vector<float> scaled(std::vector<float> values) {
    for (float& v : values) v *= 3;
    return values;
  }
};

inline std::vector<AttentionCase> attention_cases() {
  std::vector<AttentionCase> cases;
  for (int64_t keys : {1, 3, 4, 17, 32, 49, 200}) {
    const AttentionShape shape = {4, 3, 5, keys};
    cases.push_back({shape});
    cases.push_back({shape, 1, 1, 1, 1});
    cases.push_back({shape, 2, 3, 4, 5});
    cases.push_back({shape, 4, 1, 2, 1});
    cases.push_back({shape, 0, 1, 1, 5});
  }
  for (int64_t keys : {1024, 1025, 1032}) cases.push_back({{2, 1, 2, keys}, 1, 1, 2, 2});
  cases.push_back({{1, 2, 37, 5}, 1, 2, 1, 37});  // more queries than a thread of the CPU takes at once
  cases.push_back({{0, 3, 5, 4}});
  return cases;
}

// Calls check(index of a probability, its true value, what of e^(x - largest) the largest x is above it).
template <class Check>
void for_each_probability(const AttentionCase& c, const std::vector<float>& scores,
                          const std::vector<float>& bias, const std::vector<int32_t>& mask,
                          const Check& check) {
  const AttentionShape& s = c.shape;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t q = 0; q < s.queries; ++q) {
        const int64_t row = ((b * s.heads + h) * s.queries + q) * s.keys;
        std::vector<double> x(static_cast<size_t>(s.keys));
        double largest = -std::numeric_limits<double>::infinity(), sum = 0;
        for (int64_t k = 0; k < s.keys; ++k) {
          double& v = x[static_cast<size_t>(k)];
          v = scores[static_cast<size_t>(row + k)];
          if (c.bias_batch > 0) {
            const int64_t matrix = b % c.bias_batch * c.bias_heads + (c.bias_heads > 1 ? h : 0);
            v += bias[static_cast<size_t>((matrix * s.queries + q) * s.keys + k)];
          }
          if (c.mask_batch > 0) {
            const int64_t keys = b % c.mask_batch * c.mask_queries + (c.mask_queries > 1 ? q : 0);
            if (mask[static_cast<size_t>(keys * s.keys + k)] == 0)
              v = -std::numeric_limits<double>::infinity();
          }
          largest = std::max(largest, v);
        }
        const bool none = std::isinf(largest);
        for (double v : x) sum += none ? 0 : std::exp(v - largest);
        for (int64_t k = 0; k < s.keys; ++k) {
          const double v = x[static_cast<size_t>(k)];
          check(static_cast<size_t>(row + k), none ? 0 : std::exp(v - largest) / sum,
                std::isinf(v) ? 0 : largest - v);
        }
      }
}

// Of two e^x (two units each, and what two roundings of their argument do, whose size scores and bias have),
// the sum, a quotient and a product. All terms are positive: relative errors.
inline double attention_roundings(double below_largest, int64_t keys) {
  constexpr double kLargestScore = 3 * 5 * 2;  // five deviations of score and bias
  return 2 * (2 + below_largest + kLargestScore) + static_cast<double>(keys) + 2;
}

}  // namespace tyto::kernels
