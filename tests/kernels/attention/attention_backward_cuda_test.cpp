#include <gtest/gtest.h>

#include <list>

#include "kernels/attention/attention_reference.h"
#include "kernels/attention/device_attention.h"
#include "kernels/common/device_error.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels {
namespace {

constexpr float kUntouched = 77;

template <class T>
constexpr double kRoundoff = std::is_same_v<T, float>    ? 0
                             : std::is_same_v<T, __half> ? 0x1p-11
                                                         : 0x1p-8;

// With a gradient of y, and what the forward pass leaves of the map's rows, by its definition.
template <class T>
struct BackwardProblem : DeviceAttention<T> {
  explicit BackwardProblem(const AttentionSizes& sizes, int64_t offset = 0)
      : DeviceAttention<T>(sizes, offset) {
    const AttentionOf<float>& of = this->problem.of;
    y_gradient = this->problem.gradient();
    device_y_gradient = this->upload(y_gradient, of.batch * of.queries);
    std::vector<float> maximum, sum;
    for (int64_t b = 0; b < of.batch; ++b)
      for (int64_t head = 0; head < of.heads; ++head)
        for (int64_t query = 0; query < of.queries; ++query) {
          const AttentionRow row = attention_row(of, b, head, query);
          maximum.push_back(static_cast<float>(row.maximum));
          sum.push_back(static_cast<float>(row.sum));
        }
    statistics = {statistics_.emplace_back(maximum).data(), statistics_.emplace_back(sum).data()};
  }

  Tokens<const float> y_gradient;
  Tokens<const T> device_y_gradient;
  RowStatistics statistics;

 private:
  std::list<DeviceArray<float>> statistics_;
};

// Where gradients go, with a gap between rows of tokens.
template <class T>
class DeviceGradients {
 public:
  struct Rows {
    int64_t count, width, stride, offset;
    DeviceArray<T> array;

    Rows(int64_t count_, int64_t width_, int64_t gap, int64_t offset_)
        : count(count_),
          width(width_),
          stride(width_ + gap),
          offset(offset_),
          array(rounded<T>(std::vector<float>(static_cast<size_t>(count * stride + offset), kUntouched))) {}
    Tokens<T> tokens() { return {array.data() + offset, stride}; }
    // Without the gaps, which nobody touched.
    std::vector<float> values() const {
      const std::vector<float> all = floats(array.download());
      std::vector<float> dense;
      for (int64_t i = 0; i < count; ++i)
        for (int64_t c = 0; c < stride; ++c) {
          const float value = all[static_cast<size_t>(offset + i * stride + c)];
          if (c < width)
            dense.push_back(value);
          else
            EXPECT_EQ(value, kUntouched) << i;
        }
      return dense;
    }
  };

  DeviceGradients(const AttentionOf<T>& of, int64_t gap, int64_t offset) {
    q.emplace_back(of.batch * of.queries, of.heads * of.depth, gap, offset);
    for (size_t s = 0; s < static_cast<size_t>(of.key_sets); ++s) {
      const KeySet<T>& set = of.sets[s];
      k.emplace_back(of.batch * set.keys, of.heads * of.depth, gap, offset);
      v.emplace_back(of.batch * set.keys, of.heads * of.width, gap, offset);
      bias.emplace_back(set.bias.data ? set.bias.batch * set.bias.heads * of.queries * set.keys : 0);
    }
  }
  AttentionGradients<T> pointers() {
    AttentionGradients<T> to;
    to.q = q.front().tokens();
    auto of_k = k.begin(), of_v = v.begin();
    auto of_bias = bias.begin();
    for (size_t s = 0; s < k.size(); ++s)
      to.sets[s] = {(of_k++)->tokens(), (of_v++)->tokens(), (of_bias++)->data()};
    return to;
  }

  std::list<Rows> q, k, v;
  std::list<DeviceArray<float>> bias;
};

template <class T>
void run(const BackwardProblem<T>& problem, const AttentionGradients<T>& to) {
  const AttentionOf<T>& of = problem.device;
  DeviceArray<float> workspace(attention_backward_floats(of.batch, of.heads, of.queries));
  attention_backward(of, problem.statistics, problem.device_y_gradient, to, workspace.data(), nullptr);
}

// Where T is Half, a probability or score's gradient below 2^-14 is off by up to 2^-25 as well: `terms` of
// them, times factors of up to five deviations.
template <class T>
double below_normal(int64_t terms) {
  return std::is_same_v<T, __half> ? 0x1p-25 * 5 * static_cast<double>(terms) : 0;
}

template <class T>
void expect_near(const char* what, const std::vector<float>& got, const std::vector<Summed>& want,
                 double error, double floor) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i].value, error * want[i].size + floor + rounding<T>(want[i].value))
        << what << " " << i;
}

template <class T>
void compare(const AttentionSizes& sizes, int64_t offset = 0) {
  SCOPED_TRACE(::testing::Message() << sizes.queries << " queries, " << sizes.keys[0] << " keys, depth "
                                    << sizes.depth << ", width " << sizes.width << ", heads " << sizes.heads
                                    << ", bias " << sizes.bias_batch << ", mask " << sizes.mask_batch);
  const BackwardProblem<T> problem(sizes, offset);
  DeviceGradients<T> got(problem.device, sizes.gap, offset);
  run(problem, got.pointers());
  const ReferenceGradients want = attention_gradients(problem.problem.of, problem.y_gradient, kRoundoff<T>);
  int64_t keys = 0;
  for (int64_t one : sizes.keys) keys += one;
  expect_near<T>("q", got.q.front().values(), want.q, want.error, below_normal<T>(keys));
  auto of_k = got.k.begin(), of_v = got.v.begin();
  auto of_bias = got.bias.begin();
  for (const auto& set : want.sets) {
    expect_near<T>("k", (of_k++)->values(), set.k, want.error, below_normal<T>(sizes.queries));
    expect_near<T>("v", (of_v++)->values(), set.v, want.error, below_normal<T>(sizes.queries));
    expect_near<float>("bias", (of_bias++)->download(), set.bias, want.error, 0);
  }
}

template <class T>
class AttentionBackwardTest : public ::testing::Test {};
TYPED_TEST_SUITE(AttentionBackwardTest, ElementTypes);

TYPED_TEST(AttentionBackwardTest, EqualsTheReferenceOnUnkindSizes) {
  compare<TypeParam>({.queries = 1, .keys = {1}, .depth = 1, .width = 1});
  compare<TypeParam>({.batch = 2, .queries = 2, .keys = {2}, .depth = 8, .width = 9});
  compare<TypeParam>({.queries = 31, .keys = {31}, .depth = 33, .width = 8});
  compare<TypeParam>({.queries = 65, .keys = {65}, .depth = 32, .width = 65});
  compare<TypeParam>({.queries = 130, .keys = {3}, .depth = 8, .width = 8});
  compare<TypeParam>({.queries = 3, .keys = {130}, .depth = 65, .width = 8});
}

TYPED_TEST(AttentionBackwardTest, OfTheLargestHeadAndWideValues) {
  compare<TypeParam>({.queries = 2, .keys = {3}, .depth = kMaxHeadSize, .width = 130});
}

TYPED_TEST(AttentionBackwardTest, OfHeadsInWideRows) {
  compare<TypeParam>({.batch = 2, .heads = 3, .queries = 9, .keys = {17}, .depth = 16, .width = 8, .gap = 8});
  compare<TypeParam>({.batch = 2, .heads = 2, .queries = 9, .keys = {17}, .depth = 5, .width = 3, .gap = 1},
                     kUnaligned);
}

TYPED_TEST(AttentionBackwardTest, OfEveryBias) {
  for (int64_t bias_batch : {1, 2, 4})
    for (int64_t bias_heads : {1, 2})
      compare<TypeParam>({.batch = 4,
                          .heads = 2,
                          .queries = 5,
                          .keys = {7},
                          .depth = 4,
                          .width = 4,
                          .bias_batch = bias_batch,
                          .bias_heads = bias_heads});
  compare<TypeParam>({.queries = 66, .keys = {67}, .depth = 4, .width = 4, .bias_batch = 1});
}

TYPED_TEST(AttentionBackwardTest, OfEveryMask) {
  for (int64_t mask_batch : {1, 2})
    for (int64_t mask_queries : {1, 5})
      compare<TypeParam>({.batch = 2,
                          .heads = 2,
                          .queries = 5,
                          .keys = {7},
                          .depth = 4,
                          .width = 4,
                          .bias_batch = mask_batch == 2 ? 1 : 0,
                          .mask_batch = mask_batch,
                          .mask_queries = mask_queries});
  compare<TypeParam>(
      {.queries = 66, .keys = {130}, .depth = 4, .width = 4, .mask_batch = 1, .mask_queries = 66});
}

TYPED_TEST(AttentionBackwardTest, OfSeveralKeySetsInOneSoftmax) {
  compare<TypeParam>({.batch = 2,
                      .heads = 2,
                      .queries = 5,
                      .keys = {5, 0, 66, 1},
                      .depth = 8,
                      .width = 16,
                      .bias_batch = 1,
                      .bias_heads = 2});
}

TYPED_TEST(AttentionBackwardTest, OfLargeScores) {
  compare<TypeParam>({.queries = 20, .keys = {40}, .depth = 32, .width = 16, .largest_score = 80});
}

TYPED_TEST(AttentionBackwardTest, OfNothingIsZero) {
  for (const AttentionSizes& sizes : {AttentionSizes{.queries = 0, .keys = {5}, .depth = 3, .width = 2},
                                      AttentionSizes{.queries = 5, .keys = {0}, .depth = 3, .width = 2}})
    compare<TypeParam>(sizes);
}

TYPED_TEST(AttentionBackwardTest, LeavesOutWhatIsNotWanted) {
  const AttentionSizes sizes = {.batch = 2, .queries = 5, .keys = {7}, .depth = 4, .width = 4};
  const BackwardProblem<TypeParam> problem(sizes);
  DeviceGradients<TypeParam> all(problem.device, 0, 0), q(problem.device, 0, 0), v(problem.device, 0, 0);
  run(problem, all.pointers());
  AttentionGradients<TypeParam> only_q, only_v;
  only_q.q = q.pointers().q;
  run(problem, only_q);
  only_v.sets[0].v = v.pointers().sets[0].v;
  run(problem, only_v);
  EXPECT_EQ(q.q.front().values(), all.q.front().values());
  EXPECT_EQ(v.v.front().values(), all.v.front().values());
}

TEST(AttentionBackward, RefusesMoreThanAnIndexHolds) {
  constexpr int64_t kMany = int64_t{1} << 31;
  AttentionOf<float> of = {.batch = 1, .heads = 1, .queries = kMany, .depth = 1, .width = 1};
  EXPECT_THROW(attention_backward<float>(of, {}, {}, {}, nullptr, nullptr), DeviceError);
  of.queries = 1;
  of.sets[0].keys = kMany;
  EXPECT_THROW(attention_backward<float>(of, {}, {}, {}, nullptr, nullptr), DeviceError);
  of.sets[0].keys = 1;
  of.depth = kMaxHeadSize + 1;
  EXPECT_THROW(attention_backward<float>(of, {}, {}, {}, nullptr, nullptr), DeviceError);
  of.depth = 1;
  of.batch = kMany;
  EXPECT_THROW(attention_backward<float>(of, {}, {}, {}, nullptr, nullptr), DeviceError);
}

TEST(Profile, AttentionBackward) {
  const AttentionSizes sizes = {.batch = profile_batch(),
                                .heads = 2,
                                .queries = 128,
                                .keys = {128},
                                .depth = 64,
                                .width = 64,
                                .bias_batch = 1,
                                .bias_heads = 2};
  compare<float>(sizes);
  compare<__half>(sizes);
}

}  // namespace
}  // namespace tyto::kernels
