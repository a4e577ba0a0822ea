// Operators whose naive meaning is easily got wrong, on numbers that PyTorch gave.
#include <gtest/gtest.h>

#include <vector>

#include "support/compare.h"
#include "support/errors.h"

namespace tyto {
namespace {

// first, first + step, first + 2 step, ...
Tensor ramp(const Shape& shape, float first, float step) {
  std::vector<float> values;
  for (int64_t i = 0; i < shape.elements(); ++i) values.push_back(first + step * static_cast<float>(i));
  return Tensor::of<float>(shape, values);
}

Weight weight(const std::string& name, const Shape& shape, const std::vector<float>& values) {
  return constant(name, Tensor::of<float>(shape, values));
}

std::vector<float> run(const Graph& g, const Tensor& input) {
  const Tensor y = run_reference(g, input).at("y");
  return {y.as<float>().begin(), y.as<float>().end()};
}

// torch.nn.functional.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1, groups=2)
TEST(Reference, ATransposedConvolutionInGroupsHasPyTorchsValues) {
  Graph g;
  const ConvTranspose2d op = {.kernel = 3, .stride = 2, .padding = 1, .output_padding = 1, .groups = 2};
  g.output("y",
           g.apply(op, {g.image_input("input", {1, 4, 1, 3})},
                   {constant("weight", ramp({4, 1, 3, 3}, -2, 0.125f)), weight("bias", {2}, {0.5f, -1})}));
  EXPECT_EQ(
      run(g, ramp({1, 4, 1, 3}, -1, 0.25f)),
      (std::vector<float>{2.09375f, 3.15625f, 1.625f,  2.21875f, 1.15625f, 1.125f,   1.625f,  2.40625f,
                          1.34375f, 1.84375f, 1.0625f, 1.03125f, 1.71875f, 5.03125f, 2.375f,  6.34375f,
                          3.03125f, 3.375f,   2.375f,  6.53125f, 3.21875f, 8.21875f, 4.0625f, 4.40625f}));
}

// x.clamp(min=1e-6).pow(2.5).mean((2, 3)).pow(1 / 2.5), and AGW's ((x ** 3).mean(-1) + 1e-12) ** (1 / 3)
TEST(Reference, GemPoolingHasPyTorchsValuesByBothRules) {
  const Tensor x = Tensor::of<float>({1, 2, 2, 2}, std::vector<float>{-2, 3, 1, 0.5f, 0, 0, 0, 0});
  const auto pooled = [&](const GemPool& op, float power) {
    Graph g;
    g.output("y", g.apply(op, {g.image_input("input", x.shape())}, {weight("p", {1}, {power})}));
    return run(g, x);
  };
  const std::vector<float> clamped = pooled({}, 2.5f), added = pooled({GemPool::Epsilon::Added, 1e-12f}, 3);
  EXPECT_NEAR(clamped[0], 1.7739438, 1e-6);
  EXPECT_NEAR(clamped[1], 1e-6, 1e-12);
  EXPECT_NEAR(added[0], 1.7135310, 1e-6);
  EXPECT_NEAR(added[1], 1e-4, 1e-10);
}

TEST(GemPool, APowerThatIsNotPositiveIsRefusedByItsName) {
  Graph g;
  g.output("y", g.apply(GemPool{}, {g.image_input("input", {1, 2, 2, 2})}, {weight("pool.p", {1}, {-1})}));
  Context context({.device = "cpu"});
  expect_error([&] { backend_of(context).compile(g, Precision::Fp32); }, ErrorKind::Format,
               {"'pool.p' is -1"});
}

}  // namespace
}  // namespace tyto
