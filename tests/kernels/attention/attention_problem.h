// Random tokens with every kind of bias and mask, and attention of them.
#pragma once

#include <cmath>
#include <cstdint>
#include <list>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/cuda/random_values.h"

namespace tyto::kernels {

struct AttentionSizes {
  int64_t batch = 1, heads = 1, queries = 1;
  std::vector<int64_t> keys = {1};  // of each set
  int64_t depth = 1, width = 1;
  float largest_score = 4;                 // about: five deviations
  int64_t bias_batch = 0, bias_heads = 1;  // 0: no bias
  int64_t mask_batch = 0,
          mask_queries = 1;  // 0: no mask; a third of the keys is left out, all of the last query
  int64_t gap = 0;           // between rows of tokens
};

class AttentionProblem {
 public:
  explicit AttentionProblem(const AttentionSizes& s, uint32_t seed = 1) : seed_(seed) {
    of = {.batch = s.batch, .heads = s.heads, .queries = s.queries, .depth = s.depth, .width = s.width};
    // A sum of `depth` products of normal numbers has sqrt(depth) deviations.
    of.scale = s.largest_score / (5 * std::sqrt(static_cast<float>(s.depth)));
    of.q = tokens(s.queries, s.heads * s.depth, s);
    of.key_sets = static_cast<int>(s.keys.size());
    for (size_t i = 0; i < s.keys.size(); ++i) {
      KeySet<float>& set = of.sets[i];
      set.keys = s.keys[i];
      set.k = tokens(set.keys, s.heads * s.depth, s);
      set.v = tokens(set.keys, s.heads * s.width, s);
      if (s.bias_batch > 0)
        set.bias = {numbers(s.bias_batch * s.bias_heads * s.queries * set.keys), s.bias_batch, s.bias_heads};
      if (s.mask_batch > 0) {
        std::vector<int32_t>& mask = masks_.emplace_back(s.mask_batch * s.mask_queries * set.keys);
        const size_t first_of_last = mask.size() - static_cast<size_t>(s.mask_queries > 1 ? set.keys : 0);
        for (size_t j = 0; j < mask.size(); ++j)
          mask[j] = j < first_of_last && (static_cast<uint32_t>(j) * 0x9E3779B9u >> 28) % 3 != 1;
        set.mask = {mask.data(), s.mask_batch, s.mask_queries};
      }
    }
  }

  AttentionOf<float> of;

  // A gradient of y.
  Tokens<const float> gradient() {
    return {numbers(of.batch * of.queries * of.heads * of.width), of.heads * of.width};
  }

  // What they point into, for a test to change.
  float* change(const float* values) { return const_cast<float*>(values); }

 private:
  Tokens<const float> tokens(int64_t count, int64_t width, const AttentionSizes& s) {
    const int64_t stride = width + s.gap;
    return {numbers(s.batch * count * stride), stride};
  }
  const float* numbers(int64_t count) { return arrays_.emplace_back(random_floats(count, seed_++)).data(); }

  uint32_t seed_;
  std::list<std::vector<float>> arrays_;
  std::list<std::vector<int32_t>> masks_;
};

}  // namespace tyto::kernels
