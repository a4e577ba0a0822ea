#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "kernels/attention/attention_problem.h"
#include "kernels/attention/attention_reference.h"

namespace tyto::kernels {
namespace {

constexpr float kUntouched = 77;

// Gradients with a gap between rows of tokens.
struct Gradients {
  struct Rows {
    std::vector<float> values;
    int64_t count, width, stride;

    Rows(int64_t count_, int64_t width_, int64_t gap)
        : values(static_cast<size_t>(count_ * (width_ + gap)), kUntouched),
          count(count_),
          width(width_),
          stride(width_ + gap) {}
  };
  std::vector<Rows> q, k, v;
  std::vector<std::vector<float>> bias;

  Gradients(const AttentionOf<float>& of, int64_t gap) {
    q.emplace_back(of.batch * of.queries, of.heads * of.depth, gap);
    for (size_t s = 0; s < static_cast<size_t>(of.key_sets); ++s) {
      const KeySet<float>& set = of.sets[s];
      k.emplace_back(of.batch * set.keys, of.heads * of.depth, gap);
      v.emplace_back(of.batch * set.keys, of.heads * of.width, gap);
      bias.emplace_back(
          static_cast<size_t>(set.bias.data ? set.bias.batch * set.bias.heads * of.queries * set.keys : 0),
          kUntouched);
    }
  }
  AttentionGradients<float> pointers() {
    AttentionGradients<float> to;
    to.q = {q[0].values.data(), q[0].stride};
    for (size_t s = 0; s < k.size(); ++s)
      to.sets[s] = {{k[s].values.data(), k[s].stride},
                    {v[s].values.data(), v[s].stride},
                    bias[s].empty() ? nullptr : bias[s].data()};
    return to;
  }
  std::vector<uint32_t> all_bits() const {
    std::vector<uint32_t> all;
    const auto add = [&](const std::vector<float>& values) {
      for (uint32_t one : bits(values)) all.push_back(one);
    };
    add(q[0].values);
    for (size_t s = 0; s < k.size(); ++s) {
      add(k[s].values);
      add(v[s].values);
      add(bias[s]);
    }
    return all;
  }
};

class Threads {
 public:
  explicit Threads(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~Threads() { omp_set_num_threads(before_); }

 private:
  int before_;
};

void run(const AttentionOf<float>& of, Tokens<const float> y_gradient, const AttentionGradients<float>& to,
         int threads) {
  const Threads only(threads);
  const auto rows = static_cast<size_t>(of.batch * of.heads * of.queries);
  std::vector<float> y(rows * static_cast<size_t>(of.width)), maximum(rows), sum(rows);
  std::vector<float> scratch(static_cast<size_t>(attention_scratch_floats(of, threads)), std::nanf(""));
  attention_cpu(of, {y.data(), of.heads * of.width}, {maximum.data(), sum.data()}, scratch.data());
  std::vector<float> more(static_cast<size_t>(attention_backward_scratch_floats(of, threads)), std::nanf(""));
  attention_backward_cpu(of, {maximum.data(), sum.data()}, y_gradient, to, more.data());
}

Gradients run(const AttentionOf<float>& of, Tokens<const float> y_gradient, int threads = 2,
              int64_t gap = 0) {
  Gradients gradients(of, gap);
  run(of, y_gradient, gradients.pointers(), threads);
  return gradients;
}

void expect_near(const char* what, const std::vector<float>& got, const std::vector<Summed>& want,
                 double error) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i].value, error * want[i].size) << what << " " << i;
}

void expect_near(const char* what, const Gradients::Rows& got, const std::vector<Summed>& want,
                 double error) {
  std::vector<float> dense;
  for (int64_t i = 0; i < got.count; ++i)
    for (int64_t c = 0; c < got.stride; ++c) {
      const float value = got.values[static_cast<size_t>(i * got.stride + c)];
      if (c < got.width)
        dense.push_back(value);
      else
        ASSERT_EQ(value, kUntouched) << what << " " << i;
    }
  expect_near(what, dense, want, error);
}

void compare(const AttentionSizes& sizes) {
  SCOPED_TRACE(::testing::Message() << sizes.queries << " queries, " << sizes.keys[0] << " keys, depth "
                                    << sizes.depth << ", width " << sizes.width << ", heads " << sizes.heads
                                    << ", bias " << sizes.bias_batch << ", mask " << sizes.mask_batch);
  AttentionProblem problem(sizes);
  const Tokens<const float> y_gradient = problem.gradient();
  const Gradients got = run(problem.of, y_gradient, 2, sizes.gap);
  const ReferenceGradients want = attention_gradients(problem.of, y_gradient);
  expect_near("q", got.q[0], want.q, want.error);
  for (size_t s = 0; s < want.sets.size(); ++s) {
    expect_near("k", got.k[s], want.sets[s].k, want.error);
    expect_near("v", got.v[s], want.sets[s].v, want.error);
    expect_near("bias", got.bias[s], want.sets[s].bias, want.error);
  }
}

TEST(AttentionBackward, EqualsTheReferenceOnUnkindSizes) {
  for (int64_t n : {1, 2, 31, 65, 97})
    for (int64_t depth : {1, 8, 33})
      compare({.batch = 2, .queries = n, .keys = {n}, .depth = depth, .width = n == 65 ? 40 : 8});
  compare({.queries = 5, .keys = {200}, .depth = kMaxHeadSize, .width = 512});
  compare({.batch = 2, .heads = 2, .queries = 200, .keys = {7}, .depth = 8, .width = 5});
}

TEST(AttentionBackward, OfHeadsInWideRows) {
  compare({.batch = 2, .heads = 3, .queries = 49, .keys = {49}, .depth = 32, .width = 32, .gap = 7});
}

TEST(AttentionBackward, OfEveryBias) {
  for (int64_t bias_batch : {1, 2, 4})
    for (int64_t heads : {1, 3})
      compare({.batch = 4,
               .heads = 3,
               .queries = 20,
               .keys = {101},
               .depth = 4,
               .width = 4,
               .bias_batch = bias_batch,
               .bias_heads = heads});
}

TEST(AttentionBackward, OfEveryMask) {
  for (int64_t mask_batch : {1, 2})
    for (int64_t queries : {1, 100})
      compare({.batch = 2,
               .heads = 2,
               .queries = 100,
               .keys = {101},
               .depth = 4,
               .width = 4,
               .bias_batch = mask_batch == 2 ? 1 : 0,
               .mask_batch = mask_batch,
               .mask_queries = queries});
}

TEST(AttentionBackward, OfSeveralKeySetsInOneSoftmax) {
  compare({.batch = 2,
           .heads = 2,
           .queries = 20,
           .keys = {5, 0, 130, 1},
           .depth = 8,
           .width = 16,
           .bias_batch = 1,
           .bias_heads = 2});
}

TEST(AttentionBackward, OfLargeScores) {
  compare({.queries = 100, .keys = {100}, .depth = 32, .width = 16, .largest_score = 80});
}

TEST(AttentionBackward, EqualsCentralDifferences) {
  AttentionProblem problem({.batch = 2,
                            .heads = 2,
                            .queries = 3,
                            .keys = {4, 2},
                            .depth = 3,
                            .width = 2,
                            .bias_batch = 1,
                            .bias_heads = 2});
  AttentionOf<float>& of = problem.of;
  const Tokens<const float> y_gradient = problem.gradient();
  const Gradients got = run(of, y_gradient);
  // The loss is y . its gradient; in double, so that a difference of two has digits left.
  const auto loss = [&] {
    double sum = 0;
    for (int64_t b = 0; b < of.batch; ++b)
      for (int64_t head = 0; head < of.heads; ++head)
        for (int64_t query = 0; query < of.queries; ++query) {
          const AttentionRow row = attention_row(of, b, head, query);
          for (int64_t c = 0; c < of.width; ++c)
            sum += attention_value(of, row, b, head, c) *
                   y_gradient.data[(b * of.queries + query) * y_gradient.stride + head * of.width + c];
        }
    return sum;
  };
  const auto check = [&](const char* what, const float* values, const std::vector<float>& gradient) {
    for (size_t i = 0; i < gradient.size(); ++i) {
      constexpr float kStep = 0x1p-7f;
      float& value = problem.change(values)[i];
      const float before = value, above = before + kStep, below = before - kStep;
      value = above;
      const double high = loss();
      value = below;
      const double low = loss();
      value = before;
      // The third derivative's term: steps squared, of sums of a few terms of size 1.
      EXPECT_NEAR(gradient[i], (high - low) / (double{above} - below), 10 * kStep * kStep)
          << what << " " << i;
    }
  };
  check("q", of.q.data, got.q[0].values);
  for (size_t s = 0; s < 2; ++s) {
    check("k", of.sets[s].k.data, got.k[s].values);
    check("v", of.sets[s].v.data, got.v[s].values);
    check("bias", of.sets[s].bias.data, got.bias[s]);
  }
}

TEST(AttentionBackward, OfNothingIsZero) {
  for (const AttentionSizes& sizes : {AttentionSizes{.queries = 0, .keys = {5}, .depth = 3, .width = 2},
                                      AttentionSizes{.queries = 5, .keys = {0}, .depth = 3, .width = 2}}) {
    AttentionProblem problem(sizes);
    const Gradients got = run(problem.of, problem.gradient());
    for (const Gradients::Rows* rows : {&got.q[0], &got.k[0], &got.v[0]})
      EXPECT_EQ(rows->values, std::vector<float>(rows->values.size(), 0));
  }
}

TEST(AttentionBackward, LeavesOutWhatIsNotWanted) {
  AttentionProblem problem(
      {.batch = 2, .queries = 20, .keys = {30}, .depth = 4, .width = 4, .bias_batch = 1});
  const Tokens<const float> y_gradient = problem.gradient();
  const Gradients all = run(problem.of, y_gradient);
  Gradients q(problem.of, 0), v(problem.of, 0);
  run(problem.of, y_gradient, {.q = q.pointers().q}, 2);
  AttentionGradients<float> only_v;
  only_v.sets[0].v = v.pointers().sets[0].v;
  run(problem.of, y_gradient, only_v, 2);
  EXPECT_EQ(q.q[0].values, all.q[0].values);
  EXPECT_EQ(v.v[0].values, all.v[0].values);
}

std::vector<uint32_t> bits_of(const AttentionSizes& sizes, int threads) {
  AttentionProblem problem(sizes);
  return run(problem.of, problem.gradient(), threads).all_bits();
}

// Fewer and more heads than threads; biases that several heads add to.
TEST(AttentionBackward, HasTheSameBitsForAnyThreads) {
  for (int64_t heads : {1, 3})
    for (int64_t bias_heads : {int64_t{1}, heads}) {
      const AttentionSizes sizes = {.batch = 3,
                                    .heads = heads,
                                    .queries = 20,
                                    .keys = {101, 20},
                                    .depth = 8,
                                    .width = 24,
                                    .bias_batch = 1,
                                    .bias_heads = bias_heads};
      const std::vector<uint32_t> one = bits_of(sizes, 1);
      for (int threads : {2, 3}) EXPECT_EQ(bits_of(sizes, threads), one) << threads;
    }
}

TEST(AttentionBackward, HasTheSameBitsWhereThreadsShareAHead) {
  const AttentionSizes sizes = {.queries = 100,  // two strips
                                .keys = {600, 20},
                                .depth = 8,
                                .width = 32,
                                .bias_batch = 1};
  const std::vector<uint32_t> one = bits_of(sizes, 1);
  for (int threads : {2, 3}) EXPECT_EQ(bits_of(sizes, threads), one) << threads;
}

TEST(AttentionBackward, TakesAtMostFourMebibytesAThread) {
  AttentionOf<float> large = {.batch = 64, .heads = 16, .queries = 8192, .depth = 64, .width = 512};
  large.sets[0].keys = 8192;
  EXPECT_LE(attention_backward_scratch_floats(large, 8), 8 * (1 << 20));
}

TEST(PositionAttentionBackward, EqualsTheReference) {
  constexpr int64_t kBatch = 2, kPositions = 130, kDepth = 8, kChannels = 40;
  std::vector<float> q = random_floats(kBatch * kPositions * kDepth, 1);
  for (float& one : q) one /= 4;
  const std::vector<float> k = random_floats(kBatch * kPositions * kDepth, 2);
  const std::vector<float> v = random_floats(kBatch * kPositions * kChannels, 3), x = v;
  const std::vector<float> y_gradient = random_floats(kBatch * kPositions * kChannels, 5);
  for (float gamma : {0.75f, 0.0f}) {
    const PositionAttentionOf<float> p = {kBatch,   kPositions, kDepth,   kChannels, q.data(),
                                          k.data(), v.data(),   x.data(), &gamma};
    std::vector<float> y(x.size()), maximum(kBatch * kPositions), sum(maximum);
    std::vector<float> to_q(q.size()), to_k(k.size()), to_v(v.size()), to_x(x.size());
    float to_gamma = kUntouched;
    const Threads two(2);
    std::vector<float> scratch(static_cast<size_t>(position_attention_scratch_floats(p, 2)), std::nanf(""));
    position_attention_cpu(p, y.data(), {maximum.data(), sum.data()}, scratch.data());
    std::vector<float> more(static_cast<size_t>(position_attention_backward_scratch_floats(p, 2)),
                            std::nanf(""));
    position_attention_backward_cpu(p, {maximum.data(), sum.data()}, y_gradient.data(),
                                    {to_q.data(), to_k.data(), to_v.data(), to_x.data(), &to_gamma},
                                    more.data());
    const ReferenceGradients want = attention_gradients(attention_of(p), {y_gradient.data(), kChannels});
    const auto scaled = [&](std::vector<Summed> sums) {
      for (Summed& one : sums) one = {gamma * one.value, gamma * one.size};
      return sums;
    };
    expect_near("q", to_q, scaled(want.q), want.error);
    expect_near("k", to_k, scaled(want.sets[0].k), want.error);
    expect_near("v", to_v, scaled(want.sets[0].v), want.error);
    EXPECT_EQ(to_x, y_gradient);
    Summed of_gamma;
    for (const Summed& one : want.row_dot) of_gamma.add(one.value, one.size);
    EXPECT_NEAR(to_gamma, of_gamma.value, want.error * of_gamma.size);
  }
}

}  // namespace
}  // namespace tyto::kernels
