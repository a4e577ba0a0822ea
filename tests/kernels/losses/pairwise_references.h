// The losses over pairs, each with a loop that says what it is.
#pragma once

#include <algorithm>
#include <map>

#include "kernels/losses/batch_hard_triplet.h"
#include "kernels/losses/circle.h"
#include "kernels/losses/contrastive.h"
#include "kernels/losses/instance.h"
#include "kernels/losses/lifted.h"
#include "kernels/losses/pairwise_case.h"
#include "kernels/losses/triplet.h"
#include "kernels/losses/weighted_regularized_triplet.h"

namespace tyto::kernels::pairs {

using Labels = std::vector<int32_t>;

#define TYTO_CALLS(loss)                                                                               \
  template <class T>                                                                                   \
  static void cpu(const LabelledRows<T>& in, const Options& o, const LossOutput<T>& out, void* w) {    \
    loss##_cpu(in, o, out, w);                                                                         \
  }                                                                                                    \
  template <class T>                                                                                   \
  static void device(const LabelledRows<T>& in, const Options& o, const LossOutput<T>& out, void* w) { \
    loss(in, o, out, w, nullptr);                                                                      \
  }
#define TYTO_SIZES(loss)                                                      \
  template <class T>                                                          \
  static int64_t cpu_workspace(int64_t rows, int64_t width, const Options&) { \
    return loss##_cpu_workspace<T>(rows, width);                              \
  }                                                                           \
  template <class T>                                                          \
  static int64_t workspace(int64_t rows, int64_t width, const Options&) {     \
    return loss##_workspace<T>(rows, width);                                  \
  }

// Of weights that are constants of the gradient.
struct Circle {
  using Options = CircleLoss;
  static constexpr double kSteepness = 128;  // gamma times brackets and logits of at most 4
  TYTO_CALLS(circle_loss)
  TYTO_SIZES(circle_loss)

  template <class S>
  static S reference(const RowsOf<S>& f, const Labels& labels, const Options& o) {
    using std::exp, std::log;
    const auto x = unit_rows(f);
    S positive = 0, negative = 0;
    for (size_t i = 0; i < x.size(); ++i)
      for (size_t j = i + 1; j < x.size(); ++j) {
        const S s = product_of(x[i], x[j]);
        const double at = value_of(s);
        if (labels[i] == labels[j])
          positive += exp(S(-o.gamma * std::max(1 + o.margin - at, 0.0)) * (s - S(1 - o.margin)));
        else
          negative += exp(S(o.gamma * std::max(at + o.margin, 0.0)) * (s - S(o.margin)));
      }
    return log(S(1) + positive * negative);
  }
};

struct Triplet {
  using Options = TripletLoss;
  static constexpr double kSteepness = 1;  // how much larger an error of a measure comes out
  TYTO_CALLS(triplet_loss)
  TYTO_SIZES(triplet_loss)

  template <class S>
  static S reference(const RowsOf<S>& f, const Labels& labels, const Options& o) {
    const auto x = unit_rows(f);
    const size_t n = x.size();
    S sum = 0;
    double count = 0;
    for (size_t a = 0; a < n; ++a) {
      double closest = -3, farthest = 3;  // cosines
      for (size_t j = 0; j < n; ++j) {
        const double s = value_of(product_of(x[a], x[j]));
        if (labels[j] != labels[a]) closest = std::max(closest, s);
        if (labels[j] == labels[a] && j != a) farthest = std::min(farthest, s);
      }
      for (size_t p = 0; p < n; ++p)
        for (size_t q = 0; q < n; ++q) {
          if (p == a || labels[p] != labels[a] || labels[q] == labels[a]) continue;
          if (o.mined && !(value_of(product_of(x[a], x[p])) - o.epsilon < closest &&
                           value_of(product_of(x[a], x[q])) + o.epsilon > farthest))
            continue;
          const S v = distance_of(x[a], x[p]) - distance_of(x[a], x[q]) + S(o.margin);
          if (v > S(0)) {
            sum += v;
            ++count;
          }
        }
    }
    return count == 0 ? S(0) : sum / S(count);
  }
};

struct Contrastive {
  using Options = ContrastiveLoss;
  static constexpr double kSteepness = 1;
  TYTO_CALLS(contrastive_loss)
  TYTO_SIZES(contrastive_loss)

  template <class S>
  static S reference(const RowsOf<S>& f, const Labels& labels, const Options& o) {
    const auto x = unit_rows(f);
    S sums[2] = {0, 0};
    double counts[2] = {0, 0};
    for (size_t i = 0; i < x.size(); ++i)
      for (size_t j = 0; j < x.size(); ++j) {
        if (i == j) continue;
        const bool same = labels[i] == labels[j];
        const S d = distance_of(x[i], x[j]);
        const S v = same ? d - S(o.positive_margin) : S(o.negative_margin) - d;
        if (v > S(0)) {
          sums[same] += v;
          ++counts[same];
        }
      }
    S value = 0;
    for (int kind = 0; kind < 2; ++kind)
      if (counts[kind] > 0) value += sums[kind] / S(counts[kind]);
    return value;
  }
};

struct Lifted {
  using Options = LiftedLoss;
  static constexpr double kSteepness = 1;
  TYTO_CALLS(lifted_loss)
  TYTO_SIZES(lifted_loss)

  template <class S>
  static S reference(const RowsOf<S>& f, const Labels& labels, const Options& o) {
    using std::exp, std::log;
    const auto x = unit_rows(f);
    S total = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      S positive = 0, negative = 0;
      for (size_t j = 0; j < x.size(); ++j) {
        if (i == j) continue;
        const S d = distance_of(x[i], x[j]);
        if (labels[i] == labels[j])
          positive += exp(d - S(o.positive_margin));
        else
          negative += exp(S(o.negative_margin) - d);
      }
      S term = 0;
      if (positive > S(0)) term += log(positive);
      if (negative > S(0)) term += log(negative);
      if (term > S(0)) total += term;
    }
    return x.empty() ? S(0) : total / S(static_cast<double>(x.size()));
  }
};

struct Instance {
  using Options = InstanceLoss;
  static constexpr double kSteepness = 32;
  TYTO_CALLS(instance_loss)
  template <class T>
  static int64_t cpu_workspace(int64_t rows, int64_t width, const Options& o) {
    return instance_loss_cpu_workspace<T>(rows, width, o);
  }
  template <class T>
  static int64_t workspace(int64_t rows, int64_t width, const Options& o) {
    return instance_loss_workspace<T>(rows, width, o);
  }

  template <class S>
  static S reference(const RowsOf<S>& f, const Labels& labels, const Options& o) {
    using std::exp, std::log;
    RowsOf<S> rows = f;
    if (o.by_identity) {
      std::map<int32_t, std::vector<size_t>> members;
      for (size_t i = 0; i < f.size(); ++i) members[labels[i]].push_back(i);
      rows.clear();
      for (const auto& [label, of] : members) {
        std::vector<S> mean(f[0].size(), S(0));
        for (size_t i : of)
          for (size_t k = 0; k < mean.size(); ++k) mean[k] += f[i][k] / S(static_cast<double>(of.size()));
        rows.push_back(mean);
      }
    }
    const auto x = unit_rows(rows, o.added_length);
    S total = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      S sum = 0;
      const S own = product_of(x[i], x[i]);
      for (size_t j = 0; j < x.size(); ++j) sum += exp(S(o.gamma) * (product_of(x[i], x[j]) - own));
      total += log(sum);
    }
    return total / S(static_cast<double>(x.size()));
  }
};

template <class S>
S agw_distance(const std::vector<S>& a, const std::vector<S>& b) {
  const S d = distance_of(a, b);
  return d < S(1e-6) ? S(1e-6) : d;
}

struct BatchHardTriplet {
  using Options = BatchHardTripletLoss;
  static constexpr double kSteepness = 1;
  TYTO_CALLS(batch_hard_triplet_loss)
  TYTO_SIZES(batch_hard_triplet_loss)

  template <class S>
  static S reference(const RowsOf<S>& x, const Labels& labels, const Options& o) {
    S total = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      S farthest = -1, closest = 1e300;
      for (size_t j = 0; j < x.size(); ++j) {
        const S d = agw_distance(x[i], x[j]);
        if (labels[i] == labels[j] && d > farthest) farthest = d;
        if (labels[i] != labels[j] && d < closest) closest = d;
      }
      const S v = farthest - closest + S(o.margin);
      if (v > S(0)) total += v;
    }
    return x.empty() ? S(0) : total / S(static_cast<double>(x.size()));
  }
};

struct WeightedRegularizedTriplet {
  using Options = WeightedRegularizedTripletLoss;
  static constexpr double kSteepness = 4;  // at the distances of these tests
  TYTO_CALLS(weighted_regularized_triplet_loss)
  TYTO_SIZES(weighted_regularized_triplet_loss)

  // The reference's lines, whose masked distances are 0.
  template <class S>
  static S weighted(const std::vector<S>& distances, const std::vector<bool>& mask, double sign) {
    using std::exp;
    S largest = -1e300;
    for (size_t j = 0; j < mask.size(); ++j) {
      const S masked = mask[j] ? S(sign) * distances[j] : S(0);
      if (masked > largest) largest = masked;
    }
    S sum = 1e-6, mean = 0;
    for (size_t j = 0; j < mask.size(); ++j)
      if (mask[j]) sum += exp(S(sign) * distances[j] - largest);
    for (size_t j = 0; j < mask.size(); ++j)
      if (mask[j]) mean += distances[j] * exp(S(sign) * distances[j] - largest) / sum;
    return mean;
  }
  template <class S>
  static S reference(const RowsOf<S>& x, const Labels& labels, const Options&) {
    using std::exp, std::log;
    S total = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      std::vector<S> d;
      std::vector<bool> same, other;
      for (size_t j = 0; j < x.size(); ++j) {
        d.push_back(agw_distance(x[i], x[j]));
        same.push_back(labels[i] == labels[j]);
        other.push_back(!same.back());
      }
      total += log(S(1) + exp(weighted(d, same, 1) - weighted(d, other, -1)));
    }
    return total / S(static_cast<double>(x.size()));
  }
};

#undef TYTO_CALLS
#undef TYTO_SIZES

}  // namespace tyto::kernels::pairs
