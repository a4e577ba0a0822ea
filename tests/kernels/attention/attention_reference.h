// Attention and its gradients by their definition, in double, and how far roundings may move them. Inputs are
// on the host, as float: the values that a kernel reads, whatever type it reads them in.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/attention/position_attention.h"

namespace tyto::kernels {

// A sum, and the sum of its terms' sizes, to which its error is relative.
struct Summed {
  double value = 0, size = 0;

  void add(double v, double s) {
    value += v;
    size += s;
  }
};

// One row of the map: what a query of one head makes of the keys of all sets, one set after another.
struct AttentionRow {
  std::vector<double> scores;  // scale * q . k + bias; -infinity where the mask leaves a key out
  double maximum = -std::numeric_limits<double>::infinity(), sum = 0;
  double size = 0;  // the largest sum of the sizes of a score's terms
  // Of its keys, by their share: how far their scores are below the largest.
  double below = 0;

  double probability(int64_t key) const {
    return sum == 0 ? 0 : std::exp(scores[static_cast<size_t>(key)] - maximum) / sum;
  }
};

inline AttentionRow attention_row(const AttentionOf<float>& of, int64_t b, int64_t head, int64_t query) {
  AttentionRow row;
  const float* q = of.q.data + (b * of.queries + query) * of.q.stride + head * of.depth;
  for (int s = 0; s < of.key_sets; ++s) {
    const KeySet<float>& set = of.sets[static_cast<size_t>(s)];
    const AttentionShape shape = {of.batch, of.heads, of.queries, set.keys};
    const float* bias = set.bias.of(b, head, shape);
    const int32_t* mask = set.mask.of(b, shape);
    for (int64_t j = 0; j < set.keys; ++j) {
      const float* k = set.k.data + (b * set.keys + j) * set.k.stride + head * of.depth;
      Summed score;
      for (int64_t c = 0; c < of.depth; ++c) {
        const double term = double{of.scale} * q[c] * k[c];
        score.add(term, std::fabs(term));
      }
      if (bias) {
        const double added = bias[query * set.keys + j];
        score.add(added, std::isinf(added) ? 0 : std::fabs(added));
      }
      if (mask && mask[query * set.mask.stride(shape) + j] == 0)
        score = {-std::numeric_limits<double>::infinity(), 0};
      row.scores.push_back(score.value);
      if (score.value > row.maximum || std::isnan(score.value)) row.maximum = score.value;
      if (!std::isinf(score.value)) row.size = std::max(row.size, score.size);
    }
  }
  if (std::isinf(row.maximum) && row.maximum < 0) return row;
  for (double score : row.scores) {
    const double e = std::exp(score - row.maximum);
    row.sum += e;
    if (e > 0) row.below += e * (row.maximum - score);
  }
  row.below /= row.sum;
  return row;
}

// The same for one value of y, without gamma and x.
inline Summed attention_sum(const AttentionOf<float>& of, const AttentionRow& row, int64_t b, int64_t head,
                            int64_t channel) {
  Summed y;
  int64_t key = 0;
  for (int s = 0; s < of.key_sets; ++s) {
    const KeySet<float>& set = of.sets[static_cast<size_t>(s)];
    for (int64_t j = 0; j < set.keys; ++j, ++key) {
      const double term =
          row.probability(key) * set.v.data[(b * set.keys + j) * set.v.stride + head * of.width + channel];
      y.add(term, std::fabs(term));
    }
  }
  return y;
}
inline double attention_value(const AttentionOf<float>& of, const AttentionRow& row, int64_t b, int64_t head,
                              int64_t channel) {
  return attention_sum(of, row, b, head, channel).value;
}

// What roundings do to probabilities of a row, relative to them. Sums of n terms are off by sqrt(n) unit
// roundoffs of their size, five times that in the worst of a million (sum_tolerance); a score's error is one
// of its e^x, which itself has two units, and its argument a rounding of its size (on CUDA 1.25 more:
// fast_exponential.cuh). A row is scaled again when its maximum grows, at most as often as it has tiles of
// keys: one e^x more on the way of every term.
inline double probability_error(const AttentionRow& row, int64_t depth) {
  constexpr double kUnit = 0x1p-24, kExponential = 4, kRescalings = 8;
  const double score = 5 * std::sqrt(static_cast<double>(depth) + 2) * row.size + 2.25 * row.below;
  const double sum = 5 * std::sqrt(static_cast<double>(row.scores.size()));
  return 2 * std::expm1(kUnit * (score + kExponential + kRescalings)) + kUnit * (sum + 2);
}

// How far y may be off, relative to the size of its sum (which the largest |v| bounds), where T rounds
// probabilities and y; 0 where T is float.
inline double attention_error(const AttentionRow& row, int64_t depth, double unit_of_t = 0) {
  const double sum = 5 * std::sqrt(static_cast<double>(row.scores.size())) * 0x1p-24;
  return probability_error(row, depth) + sum + 2 * unit_of_t;
}

// Gradients as AttentionGradients has them, rows without gaps (stride = heads * size).
struct ReferenceGradients {
  std::vector<Summed> q;
  struct OfSet {
    std::vector<Summed> k, v, bias;
  };
  std::vector<OfSet> sets;
  std::vector<Summed> row_dot;  // [batch, heads, queries]: y . its gradient
  double error = 0;             // of every gradient, relative to its size
};

inline ReferenceGradients attention_gradients(const AttentionOf<float>& of, Tokens<const float> gradient,
                                              double unit_of_t = 0) {
  ReferenceGradients g;
  g.q.resize(static_cast<size_t>(of.batch * of.queries * of.heads * of.depth));
  g.row_dot.resize(static_cast<size_t>(of.batch * of.heads * of.queries));
  for (int s = 0; s < of.key_sets; ++s) {
    const KeySet<float>& set = of.sets[static_cast<size_t>(s)];
    auto& to = g.sets.emplace_back();
    to.k.resize(static_cast<size_t>(of.batch * set.keys * of.heads * of.depth));
    to.v.resize(static_cast<size_t>(of.batch * set.keys * of.heads * of.width));
    if (set.bias.data)
      to.bias.resize(static_cast<size_t>(set.bias.batch * set.bias.heads * of.queries * set.keys));
  }
  for (int64_t b = 0; b < of.batch; ++b)
    for (int64_t head = 0; head < of.heads; ++head)
      for (int64_t query = 0; query < of.queries; ++query) {
        const AttentionRow row = attention_row(of, b, head, query);
        g.error = std::max(g.error, probability_error(row, of.depth));
        const float* q = of.q.data + (b * of.queries + query) * of.q.stride + head * of.depth;
        const float* dy = gradient.data + (b * of.queries + query) * gradient.stride + head * of.width;
        std::vector<Summed> dp;  // of every probability
        Summed dot;
        int64_t key = 0;
        for (int s = 0; s < of.key_sets; ++s) {
          const KeySet<float>& set = of.sets[static_cast<size_t>(s)];
          for (int64_t j = 0; j < set.keys; ++j, ++key) {
            const double p = row.probability(key);
            const int64_t at = (b * set.keys + j) * of.heads + head;
            const float* v = set.v.data + (b * set.keys + j) * set.v.stride + head * of.width;
            Summed& one = dp.emplace_back();
            for (int64_t c = 0; c < of.width; ++c) {
              one.add(double{dy[c]} * v[c], std::fabs(double{dy[c]} * v[c]));
              g.sets[static_cast<size_t>(s)].v[static_cast<size_t>(at * of.width + c)].add(
                  p * dy[c], p * std::fabs(dy[c]));
            }
            dot.add(p * one.value, p * one.size);
          }
        }
        g.row_dot[static_cast<size_t>((b * of.heads + head) * of.queries + query)] = dot;
        key = 0;
        for (int s = 0; s < of.key_sets; ++s) {
          const KeySet<float>& set = of.sets[static_cast<size_t>(s)];
          auto& to = g.sets[static_cast<size_t>(s)];
          for (int64_t j = 0; j < set.keys; ++j, ++key) {
            const Summed& one = dp[static_cast<size_t>(key)];
            const double p = row.probability(key);
            const double ds = p * (one.value - dot.value), size = p * (one.size + dot.size);
            if (set.bias.data) {
              const int64_t matrix = b % set.bias.batch * set.bias.heads + (set.bias.heads == 1 ? 0 : head);
              to.bias[static_cast<size_t>((matrix * of.queries + query) * set.keys + j)].add(ds, size);
            }
            const float* k = set.k.data + (b * set.keys + j) * set.k.stride + head * of.depth;
            const int64_t of_q = ((b * of.queries + query) * of.heads + head) * of.depth;
            const int64_t of_k = ((b * set.keys + j) * of.heads + head) * of.depth;
            for (int64_t c = 0; c < of.depth; ++c) {
              g.q[static_cast<size_t>(of_q + c)].add(of.scale * ds * k[c], std::fabs(of.scale * k[c]) * size);
              to.k[static_cast<size_t>(of_k + c)].add(of.scale * ds * q[c],
                                                      std::fabs(of.scale * q[c]) * size);
            }
          }
        }
      }
  // A product of width terms, one over queries or keys, D's over keys; in T: y's gradient is exact, the
  // probabilities, scores' gradients and results are rounded.
  int64_t keys = 0;
  for (int s = 0; s < of.key_sets; ++s) keys += of.sets[static_cast<size_t>(s)].keys;
  const auto terms = static_cast<double>(of.width + 2 * std::max(keys, of.batch * of.heads * of.queries));
  g.error = 2 * g.error + 5 * std::sqrt(terms) * 0x1p-24 + 4 * 0x1p-24 + 4 * unit_of_t;
  return g;
}

}  // namespace tyto::kernels
