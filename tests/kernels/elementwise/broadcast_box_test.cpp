#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "kernels/elementwise/broadcast.h"

namespace tyto::kernels {
namespace {

using Sizes = std::vector<int64_t>;

// Sizes, then the strides of each array.
template <int Arrays>
std::vector<Sizes> text(const StridedBox<Arrays>& box) {
  std::vector<Sizes> all = {{box.sizes.begin(), box.sizes.begin() + box.rank}};
  for (const auto& strides : box.strides) all.emplace_back(strides.begin(), strides.begin() + box.rank);
  return all;
}

TEST(BroadcastBox, RepeatsWhatIsMissingOrOne) {
  EXPECT_EQ(text(broadcast_box(Sizes{2, 1, 5}, Sizes{3, 1})),
            (std::vector<Sizes>{{2, 3, 5}, {5, 0, 1}, {0, 1, 0}, {15, 5, 1}}));
  EXPECT_EQ(text(broadcast_box(Sizes{1}, Sizes{0, 4})), (std::vector<Sizes>{{0, 4}, {0, 0}, {4, 1}, {4, 1}}));
}

TEST(BroadcastBox, EqualSizesMergeIntoOneDimensionAndABiasIntoTwo) {
  EXPECT_EQ(text(merged(broadcast_box(Sizes{2, 3, 4}, Sizes{2, 3, 4}))),
            (std::vector<Sizes>{{24}, {1}, {1}, {1}}));
  EXPECT_EQ(text(merged(broadcast_box(Sizes{2, 3, 4}, Sizes{4}))),
            (std::vector<Sizes>{{6, 4}, {4, 1}, {0, 1}, {4, 1}}));
}

TEST(BroadcastBox, AScalarMergesIntoOneDimension) {
  EXPECT_EQ(text(merged(broadcast_box(Sizes{2, 3}, Sizes{}))), (std::vector<Sizes>{{6}, {1}, {0}, {1}}));
}

TEST(BroadcastBox, NothingMergesAcrossARepeatedDimension) {
  EXPECT_EQ(text(merged(broadcast_box(Sizes{2, 3, 4}, Sizes{2, 1, 4}))),
            (std::vector<Sizes>{{2, 3, 4}, {12, 4, 1}, {4, 0, 1}, {12, 4, 1}}));
}

TEST(BroadcastBox, OnesDisappear) {
  EXPECT_EQ(merged(broadcast_box(Sizes{1, 1, 1}, Sizes{1, 1})).rank, 0);
  EXPECT_EQ(text(merged(broadcast_box(Sizes{4, 1, 5}, Sizes{4, 1, 5}))),
            (std::vector<Sizes>{{20}, {1}, {1}, {1}}));
}

TEST(BroadcastBox, ItsExtentIsOnePastTheLastElement) {
  const StridedBox<3> box = broadcast_box(Sizes{2, 1, 5}, Sizes{3, 1});
  EXPECT_EQ(box.extent(0), 10);
  EXPECT_EQ(box.extent(1), 3);
  EXPECT_EQ(box.extent(2), 30);
  EXPECT_EQ(broadcast_box(Sizes{0, 5}, Sizes{5}).extent(1), 0);
}

TEST(BroadcastBox, SizesThatDoNotBroadcastAndTooManyDimensionsAreRefused) {
  EXPECT_THROW(broadcast_box(Sizes{2, 3}, Sizes{2}), std::invalid_argument);
  EXPECT_THROW(broadcast_box(Sizes(7, 1), Sizes{}), std::invalid_argument);
}

}  // namespace
}  // namespace tyto::kernels
