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

// What an operator makes of (torch.arange(12) * 0.5 - 2).reshape(1, 1, 3, 4).
std::vector<float> of_three_rows(const Operator& op) {
  Graph g;
  g.output("y", g.apply(op, {g.image_input("input", {1, 1, 3, 4})}));
  return run(g, ramp({1, 1, 3, 4}, -2, 0.5f));
}

void expect_near(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-6) << i;
}

// torch.nn.functional.interpolate(x, scale_factor=1.7), nearest and bilinear, and (x, size=(5, 7),
// mode="bilinear", align_corners=True)
TEST(Reference, UpsamplingHasPyTorchsValues) {
  using enum kernels::Upsampling;
  expect_near(of_three_rows(Upsample{5, 6, Nearest, 1.7f}),
              {-2,   -2, -1.5f, -1.5f, -1, -1,   -2,   -2, -1.5f, -1.5f, -1, -1,   0,    0, 0.5f,
               0.5f, 1,  1,     0,     0,  0.5f, 0.5f, 1,  1,     2,     2,  2.5f, 2.5f, 3, 3});
  expect_near(of_three_rows(Upsample{5, 6, Nearest}),
              {-2, -2, -1.5f, -1, -1, -0.5f, -2, -2, -1.5f, -1, -1, -0.5f, 0, 0, 0.5f,
               1,  1,  1.5f,  0,  0,  0.5f,  1,  1,  1.5f,  2,  2,  2.5f,  3, 3, 3.5f});
  expect_near(of_three_rows(Upsample{5, 6, Bilinear, 1.7f}),
              {-2,           -1.8088236f, -1.5147059f,  -1.2205882f,  -0.92647052f,
               -0.63235289f, -1.2352941f, -1.0441177f,  -0.74999994f, -0.45588228f,
               -0.16176456f, 0.13235305f, -0.05882335f, 0.13235314f,  0.42647082f,
               0.72058845f,  1.0147061f,  1.3088237f,   1.1176471f,   1.3088237f,
               1.6029414f,   1.8970590f,  2.1911767f,   2.4852943f,   2,
               2.1911764f,   2.4852941f,  2.7794118f,   3.0735292f,   3.3676472f});
  expect_near(of_three_rows(Upsample{5, 7, BilinearCorners, 1.7f}),
              {-2,    -1.75f, -1.5f, -1.25f, -1,   -0.75f, -0.5f, -1,    -0.75f, -0.5f, -0.25f, 0,
               0.25f, 0.5f,   0,     0.25f,  0.5f, 0.75f,  1,     1.25f, 1.5f,   1,     1.25f,  1.5f,
               1.75f, 2,      2.25f, 2.5f,   2,    2.25f,  2.5f,  2.75f, 3,      3.25f, 3.5f});
}

// torch.nn.functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True), by both rules for what the padding counts, and
// (x, 2, 1, divisor_override=3)
TEST(Reference, AveragePoolingHasPyTorchsValues) {
  AveragePool op = {.kernel = 3, .stride = 2, .padding = 1, .ceil = true};
  expect_near(of_three_rows(op), {-1 / 3.f, 0, 1 / 6.f, 5 / 9.f, 4 / 3.f, 5 / 6.f});
  op.count_padding = false;
  expect_near(of_three_rows(op), {-0.75f, 0, 0.5f, 1.25f, 2, 2.5f});
  expect_near(of_three_rows(AveragePool{.kernel = 2, .stride = 1, .divisor = 3}),
              {-1, -1 / 3.f, 1 / 3.f, 5 / 3.f, 7 / 3.f, 3});
}

// torch.nn.functional.pad(x, (1, 2, 2, 0), mode)
TEST(Reference, BordersHavePyTorchsValues) {
  const Padding border(2, 1, 0, 2);
  EXPECT_EQ(of_three_rows(Pad{border}),
            (std::vector<float>{0,     0, 0, 0, 0, 0,    0, 0,    0, 0, 0, 0, 0,    0, 0,    -2, -1.5f, -1,
                                -0.5f, 0, 0, 0, 0, 0.5f, 1, 1.5f, 0, 0, 0, 2, 2.5f, 3, 3.5f, 0,  0}));
  EXPECT_EQ(of_three_rows(Pad{border, kernels::PadMode::Reflect}),
            (std::vector<float>{2.5f, 2,    2.5f,  3,    3.5f,  3,  2.5f,  0.5f, 0,     0.5f, 1,   1.5f,
                                1,    0.5f, -1.5f, -2,   -1.5f, -1, -0.5f, -1,   -1.5f, 0.5f, 0,   0.5f,
                                1,    1.5f, 1,     0.5f, 2.5f,  2,  2.5f,  3,    3.5f,  3,    2.5f}));
  EXPECT_EQ(
      of_three_rows(Pad{border, kernels::PadMode::Replicate}),
      (std::vector<float>{-2,    -2,    -1.5f, -1,   -0.5f, -0.5f, -0.5f, -2,    -2,    -1.5f, -1,  -0.5f,
                          -0.5f, -0.5f, -2,    -2,   -1.5f, -1,    -0.5f, -0.5f, -0.5f, 0,     0,   0.5f,
                          1,     1.5f,  1.5f,  1.5f, 2,     2,     2.5f,  3,     3.5f,  3.5f,  3.5f}));
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
