#include "kernels/image/flip.h"

#include <gtest/gtest.h>

#include <vector>

namespace tyto::kernels {
namespace {

TEST(FlipHorizontal, MirrorsEachRow) {
  const std::vector<float> in = {1, 2, 3, 4, 5, 6};
  std::vector<float> out(6);
  flip_horizontal_cpu(in.data(), 2, 3, out.data());
  EXPECT_EQ(out, (std::vector<float>{3, 2, 1, 6, 5, 4}));
  flip_horizontal_cpu(in.data(), 6, 1, out.data());
  EXPECT_EQ(out, in);
}

}  // namespace
}  // namespace tyto::kernels
