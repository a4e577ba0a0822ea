// Pooling, normalisation and elementwise operators on the CPU against the naive loops of engine/reference.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/graph/passes.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/every_activation.h"
#include "support/random_weights.h"

namespace tyto {
namespace {

using Build = std::function<Value(Graph&, const Weights&, Value)>;

// Once on the network's input, which is row-major, and once behind a convolution, in the layout that it
// chose.
void expect_right(const Shape& input, const Layout& layout, double terms, const Build& build) {
  for (bool behind_convolution : {false, true}) {
    SCOPED_TRACE(fmt::format("{}{}", input.str(), behind_convolution ? " behind a convolution" : ""));
    const int64_t channels = input[1];
    const Weights w = weights(layout + Layout{{"before.weight", {channels, channels, 1, 1}}});
    Graph g;
    Value x = g.image_input("input", input);
    if (behind_convolution) x = g.conv2d(x, w.scope("before"), {});
    g.output("y", build(g, w, x));
    expect_cpu_equals_reference(g, noise(input, 1, -4, 4),
                                terms + behind_convolution * static_cast<double>(channels),
                                1 + behind_convolution);
  }
}

TEST(CpuMaxPool, EqualsReferenceWithEveryRounding) {
  for (int kernel : {1, 2, 3, 5})
    for (int stride : {1, 2, 3})
      for (const Padding& padding : {Padding(0), Padding(kernel / 2), Padding(kernel / 2, 0, 0, kernel / 2)})
        for (bool ceil : {false, true})
          for (int64_t size : {5, 6, 7}) {
            SCOPED_TRACE(fmt::format("kernel {} stride {} padding {},{},{},{} ceil {}", kernel, stride,
                                     padding.top, padding.left, padding.bottom, padding.right, ceil));
            const MaxPool op{.kernel = kernel, .stride = stride, .padding = padding, .ceil = ceil};
            expect_right({2, 11, size, 8}, {}, 1,
                         [&](Graph& g, const Weights&, Value x) { return g.max_pool(x, op); });
          }
}

TEST(CpuMaxPool, OfNegativeValuesIgnoresThePadding) {
  Graph g;
  g.output("y", g.max_pool(g.image_input("input", {1, 16, 5, 5}),
                           {.kernel = 3, .stride = 2, .padding = 1, .ceil = true}));
  expect_cpu_equals_reference(g, noise({1, 16, 5, 5}, 1, -9, -8), 0);
}

TEST(CpuAdaptiveAveragePool, EqualsReferenceOnEvenUnevenAndGrowingCells) {
  for (const AdaptiveAveragePool& op : {AdaptiveAveragePool{1, 1}, {7, 7}, {3, 5}, {9, 14}, {20, 1}})
    for (int64_t channels : {1, 6, 16, 19})
      expect_right({2, channels, 9, 14}, {}, 9 * 14,
                   [&](Graph& g, const Weights&, Value x) { return g.adaptive_average_pool(x, op); });
}

TEST(CpuBatchNorm, AloneEqualsReference) {
  for (int64_t channels : {1, 6, 16, 19})
    for (Activation activation : {Activation::None, Activation::Relu, Activation::Relu6})
      expect_right({2, channels, 5, 3}, batch_norm_at("bn", channels), 2,
                   [&](Graph& g, const Weights& w, Value x) {
                     return g.batch_norm(x, w.scope("bn"), {.activation = activation});
                   });
}

TEST(CpuBatchNorm, OfTheLastChannelsEqualsReference) {
  expect_right({2, 19, 5, 3}, batch_norm_at("bn", 8), 2, [](Graph& g, const Weights& w, Value x) {
    return g.batch_norm(x, w.scope("bn"), {.first_channel = 11});
  });
}

TEST(CpuBatchNorm, OfAVectorEqualsReference) {
  Graph g;
  g.output("y", g.batch_norm(g.rows_input("input", {3, 37}), weights(batch_norm_at("bn", 37)).scope("bn")));
  expect_cpu_equals_reference(g, noise({3, 37}, 1), 2);
}

TEST(CpuBatchNorm, NamesTheLayerWhoseVarianceIsNegative) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const char* name : {"weight", "bias", "running_mean"})
    tensors.emplace_back(std::string("bn.") + name, noise({2}, 2));
  const float variance[] = {1, -1};
  tensors.emplace_back("bn.running_var", Tensor::of<float>({2}, variance));
  Graph g;
  g.output("y", g.batch_norm(g.image_input("input", {1, 2, 3, 3}),
                             Weights(std::make_shared<MemorySource>(std::move(tensors))).scope("bn")));
  expect_error([&] { OnCpu cpu(g); }, ErrorKind::Format, {"'bn'", "running_var"});
}

TEST(CpuInstanceNorm, OfTheFirstChannelsEqualsReference) {
  for (int64_t channels : {2, 6, 16, 38})
    for (int64_t normalised : {channels, channels / 2})
      expect_right({2, channels, 9, 7}, {{"in.weight", {normalised}}, {"in.bias", {normalised}}}, 63,
                   [](Graph& g, const Weights& w, Value x) { return g.instance_norm(x, w.scope("in")); });
}

TEST(CpuAdd, UnfusedEqualsReference) {
  for (int64_t channels : {5, 16})
    for (Activation activation : {Activation::Relu, Activation::Relu6})
      expect_right({2, channels, 4, 3}, {{"a.weight", {channels, channels, 1, 1}}},
                   static_cast<double>(channels), [&](Graph& g, const Weights& w, Value x) {
                     const Value sum = g.add(x, g.conv2d(x, w.scope("a"), {}));
                     return g.add(g.activate(sum, activation), sum);
                   });
}

TEST(CpuAdd, OfAValueWithItself) {
  expect_right({1, 7, 3, 3}, {}, 1, [](Graph& g, const Weights&, Value x) { return g.add(x, x); });
}

TEST(CpuActivate, EqualsReference) {
  for (Activation activation : kEveryActivation)
    expect_right({2, 7, 4, 3}, {}, 1, [&](Graph& g, const Weights&, Value x) {
      return g.activate(g.max_pool(x, {.stride = 1}), activation);
    });
}

// oneDNN's own e^x, tanh and erf, alone and behind an addition.
TEST(CpuActivate, IsAccurateForValuesOfAnySize) {
  std::vector<float> values;
  for (float v = -20; v <= 20; v += 0x1p-8f) values.push_back(v);
  for (int exponent = -125; exponent < 127; ++exponent)
    for (float sign : {-1.0f, 1.0f}) values.push_back(sign * std::ldexp(1.0f, exponent));
  const Shape shape = {1, static_cast<int64_t>(values.size())};
  const Tensor input = Tensor::of<float>(shape, values);
  for (Activation activation : kEveryActivation)
    for (bool behind_addition : {false, true}) {
      SCOPED_TRACE(fmt::format("{}{}", name_of(activation), behind_addition ? " behind an addition" : ""));
      Graph g;
      Value x = g.rows_input("input", shape);
      if (behind_addition) x = g.add(x, x);
      g.output("y", g.activate(x, activation));
      const Graph fused = optimise(g);
      OnCpu cpu(fused);
      const Tensor got = cpu.run(input).at("y"), want = run_reference(fused, input).at("y");
      const bool near_a_half = activation == Activation::Sigmoid || activation == Activation::HardSigmoid;
      for (size_t i = 0; i < values.size(); ++i) {
        const double v = (1 + behind_addition) * double{values[i]};
        // e^x's two roundings or erf's three (Abramowitz and Stegun 7.1.26), a sum, a quotient, a product.
        const double tolerance = 6 * unit_roundoff(Precision::Fp32) * (near_a_half ? 1 : std::abs(v));
        ASSERT_NEAR(got.as<float>()[i], want.as<float>()[i], tolerance) << "of " << v;
      }
    }
}

// A map as images are given.
Value planes(Graph& g, Value map) { return g.cast(g.to_rows(map), Elements::F32); }

TEST(CpuViews, EqualReference) {
  for (int64_t channels : {1, 3, 16}) {
    const Shape input = {2, channels, 9, 13};
    expect_right(input, {}, 1,
                 [](Graph& g, const Weights&, Value x) { return g.flip_horizontal(planes(g, x)); });
    for (double factor : {0.5, 0.8, 2.0})  // whose reciprocals are floats, so that positions are not rounded
      expect_right(input, {}, 16, [&](Graph& g, const Weights&, Value x) {
        return g.rescale_bicubic(planes(g, x), factor);
      });
  }
}

TEST(CpuUnitSum, EqualsReference) {
  for (const Shape& input : {Shape{1, 1, 1, 1}, {3, 7, 1, 1}, {2, 40, 1, 1}})
    expect_right(input, {}, static_cast<double>(input[1]), [](Graph& g, const Weights&, Value x) {
      const Value row = g.flatten(x);
      return g.normalized_sum("sum", {row, row, g.relu(row)});
    });
}

TEST(CpuUnitSum, OfZerosStaysZero) {
  Graph g;
  const Value row = g.rows_input("input", {2, 5});
  g.output("y", g.normalized_sum("sum", {row, row}));
  expect_cpu_equals_reference(g, Tensor::zeros(DType::F32, {2, 5}), 0);
}

TEST(CpuFlatten, OfAMapIsInPyTorchsOrder) {
  for (int64_t channels : {1, 5, 16})
    expect_right({2, channels, 4, 3}, {}, 1, [](Graph& g, const Weights&, Value x) { return g.flatten(x); });
}

}  // namespace
}  // namespace tyto
