#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "kernels/common/device_error.h"
#include "kernels/cuda/nhwc_batch.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/elementwise/broadcast.h"

namespace tyto::kernels {
namespace {

template <class T>
class BroadcastTest : public ::testing::Test {};
TYPED_TEST_SUITE(BroadcastTest, ElementTypes);

using Sizes = std::vector<int64_t>;
enum class Into { Another, A, B };

// Calls body(the element's index in each array) at every position, in order.
template <int Arrays, class Body>
void for_each_position(const StridedBox<Arrays>& box, const Body& body) {
  for (int64_t i = 0, count = box.elements(); i < count; ++i) {
    std::array<size_t, Arrays> at{};
    int64_t rest = i;
    for (int d = box.rank - 1; d >= 0; rest /= box.sizes[d--])
      for (int a = 0; a < Arrays; ++a) at[a] += static_cast<size_t>(rest % box.sizes[d] * box.strides[a][d]);
    body(at);
  }
}

template <class T>
void compare(const StridedBox<3>& box, BinaryOp op, Activation activation, Into into = Into::Another,
             std::array<int64_t, 3> offsets = {}) {
  const auto line = [&](int array) { return MapShape{1, 1, 1, box.extent(array)}; };
  NhwcBatch<T> a(line(0), 1, offsets[0]), b(line(1), 2, offsets[1]);
  const std::vector<float> untouched(static_cast<size_t>(box.extent(2)), 7.0f);
  NhwcBatch<T> y(line(2), untouched, offsets[2]);
  NhwcBatch<T>& target = into == Into::A ? a : into == Into::B ? b : y;
  const std::vector<float> before_a = a.values(), before_b = b.values();
  std::vector<float> want = target.values();
  for_each_position(box, [&](const std::array<size_t, 3>& at) {
    const float u = before_a[at[0]], v = before_b[at[1]];
    const float e = op == BinaryOp::Add ? u + v : op == BinaryOp::Sub ? u - v : u * v;
    want[at[2]] = to_float(static_cast<T>(activation == Activation::Relu && e < 0 ? 0.0f : e));
  });
  broadcast<T>(a.read().data, b.read().data, box, op, activation, target.data(), nullptr);
  ASSERT_EQ(target.download(), want);
}

constexpr BinaryOp kOps[] = {BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul};

struct Pair {
  Sizes a, b;
};

// Equal, biases, scales of an image's channels, columns, outer products, scalars, none; rows that are a
// pack, a pack and one, more than a block; more and fewer rows than a thread has.
std::vector<Pair> pairs() {
  return {{{}, {}},
          {{3, 5}, {3, 5}},
          {{2, 24}, {2, 24}},
          {{1031}, {1031}},
          {{2, 7, 24}, {24}},
          {{17}, {2, 3, 17}},
          {{2, 9, 16}, {2, 1, 16}},
          {{2, 5, 3}, {2, 1, 3}},
          {{4, 16}, {4, 1}},
          {{1, 16}, {5, 1}},
          {{5, 1}, {7}},
          {{2, 8}, {1}},
          {{2, 1, 3, 1, 2, 8}, {1, 3, 1, 2, 1, 8}},
          {{3, 1, 1, 5, 1, 1}, {1, 2, 1, 1, 3, 2}},
          {{0, 8}, {8}},
          {{8, 0}, {8, 1}}};
}

TYPED_TEST(BroadcastTest, CombinesWhatBroadcasts) {
  for (const Pair& pair : pairs())
    for (BinaryOp op : kOps)
      for (Activation activation : {Activation::None, Activation::Relu})
        compare<TypeParam>(broadcast_box(pair.a, pair.b), op, activation);
}

TYPED_TEST(BroadcastTest, MayOverwriteAnOperandThatIsNotRepeated) {
  for (int64_t width : {5, 16}) {
    compare<TypeParam>(broadcast_box(Sizes{2, 6, width}, Sizes{width}), BinaryOp::Sub, Activation::None,
                       Into::A);
    compare<TypeParam>(broadcast_box(Sizes{2, 1, width}, Sizes{2, 6, width}), BinaryOp::Sub, Activation::None,
                       Into::B);
  }
}

TYPED_TEST(BroadcastTest, TakesUnalignedArrays) {
  for (size_t array : {0, 1, 2}) {
    std::array<int64_t, 3> offsets = {};
    offsets[array] = kUnaligned;
    compare<TypeParam>(broadcast_box(Sizes{3, 16}, Sizes{16}), BinaryOp::Add, Activation::None, Into::Another,
                       offsets);
  }
}

// One of the arrays is transposed, starts its rows unaligned, or leaves gaps in y.
TYPED_TEST(BroadcastTest, TakesAnyStrides) {
  const StridedBox<3> dense = broadcast_box(Sizes{3, 16}, Sizes{3, 16});
  for (size_t array : {0, 1, 2})
    for (const auto& [outer, inner] : {std::pair<int64_t, int64_t>{1, 3}, {17, 1}, {24, 1}}) {
      StridedBox<3> box = dense;
      box.strides[array][0] = outer;
      box.strides[array][1] = inner;
      compare<TypeParam>(box, BinaryOp::Sub, Activation::None);
    }
}

TEST(Broadcast, AppliesEveryActivation) {
  const std::vector<float> values = {-7, -1, 0, 2, 9};
  const NhwcBatch<float> a({1, 1, 1, 5}, values), b({1, 1, 1, 1}, std::vector<float>{1});
  for (Activation activation :
       {Activation::Relu6, Activation::HardSigmoid, Activation::HardSwish, Activation::None}) {
    NhwcResult<float> y({1, 1, 1, 5});
    broadcast<float>(a.read().data, b.read().data, broadcast_box(Sizes{5}, Sizes{}), BinaryOp::Mul,
                     activation, y.data(), nullptr);
    const std::vector<float> got = y.download();
    for (size_t i = 0; i < values.size(); ++i) {
      float want[] = {values[i]};
      activate(want, activation);
      EXPECT_FLOAT_EQ(got[i], want[0]);
    }
  }
}

TEST(Broadcast, RefusesMoreThanAnIndexHolds) {
  const StridedBox<3> box = broadcast_box(Sizes{1 << 16, 1}, Sizes{1 << 15});
  EXPECT_THROW(broadcast<float>(nullptr, nullptr, box, BinaryOp::Add, Activation::None, nullptr, nullptr),
               DeviceError);
}

TEST(Profile, BroadcastOfEqualSizes) {
  const Sizes sizes = {profile_batch(), 28, 28, 96};
  compare<__half>(broadcast_box(sizes, sizes), BinaryOp::Add, Activation::Relu);
}
TEST(Profile, BroadcastOfChannelScales) {
  compare<__half>(broadcast_box(Sizes{profile_batch(), 28 * 28, 96}, Sizes{profile_batch(), 1, 96}),
                  BinaryOp::Mul, Activation::None);
}
TEST(Profile, BroadcastOfAColumn) {
  compare<__half>(broadcast_box(Sizes{profile_batch() * 96, 28 * 28}, Sizes{profile_batch() * 96, 1}),
                  BinaryOp::Mul, Activation::None);
}

}  // namespace
}  // namespace tyto::kernels
