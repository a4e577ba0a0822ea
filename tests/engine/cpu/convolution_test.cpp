// Convolutions and linear layers on the CPU against the naive loops of engine/reference.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/graph/passes.h"
#include "support/compare.h"
#include "support/every_activation.h"
#include "support/random_weights.h"

namespace tyto {
namespace {

constexpr Activation kActivations[] = {Activation::None, Activation::Relu, Activation::Relu6};

struct Case {
  Shape input;
  int64_t outputs = 0;
  Conv2d op;
  bool bias = false, residual = false;

  double terms() const { return static_cast<double>(input[1] / op.groups) * op.kernel * op.kernel + bias; }
  std::string str() const {
    return fmt::format("{} -> {} kernel {} stride {} padding {},{},{},{} dilation {} groups {} {}{}{}",
                       input.str(), outputs, op.kernel, op.stride, op.padding.top, op.padding.left,
                       op.padding.bottom, op.padding.right, op.dilation, op.groups, name_of(op.activation),
                       bias ? " bias" : "", residual ? " residual" : "");
  }
};

// A residual comes from a convolution of the same kind and is added before the activation.
Graph graph_of(const Case& c) {
  const Shape weight = {c.outputs, c.input[1] / c.op.groups, c.op.kernel, c.op.kernel};
  Layout layout = {{"conv.weight", weight}, {"other.weight", weight}};
  if (c.bias) layout = layout + Layout{{"conv.bias", {c.outputs}}};
  const Weights w = weights(layout);
  Conv2d linear = c.op;
  linear.activation = Activation::None;
  Graph g;
  const Value x = g.image_input("input", c.input);
  const Value other = c.residual ? g.conv2d(x, w.scope("other"), linear) : Value{};
  Value y = g.conv2d(x, w.scope("conv"), linear);
  if (c.residual) y = g.add(y, other);
  if (c.op.activation != Activation::None) y = g.activate(y, c.op.activation);
  g.output("y", y);
  return g;
}

// Inputs up to `largest`: large enough that ReLU6 has something to cut.
void expect_right(const Case& c, int threads = 1, float largest = 6) {
  SCOPED_TRACE(c.str());
  const Graph fused = optimise(graph_of(c));
  EXPECT_EQ(count<Add>(fused) + count<Activate>(fused), 0);
  expect_cpu_equals_reference(fused, noise(c.input, 1, -largest, largest), (1 + c.residual) * c.terms(), 1,
                              threads);
}

// Every kernel, stride, padding, dilation and grouping together; the other options take turns.
TEST(CpuConvolution, EqualsReferenceOnAllOptions) {
  const int64_t dense[] = {3, 8, 13, 16, 21}, grouped[] = {6, 16, 26};
  int turn = 0;
  for (int kernel : {1, 3, 5, 7})
    for (int stride : {1, 2, 3})
      for (int dilation : {1, 2})
        for (const Padding& padding : {Padding(0), Padding(kernel / 2), Padding(2, 0, 1, 3)})
          for (int kind = 0; kind < 3; ++kind, ++turn) {
            Case c;
            const int64_t channels = kind == 0 ? dense[turn % 5] : grouped[turn % 3];
            c.input = {turn % 4 == 0 ? 3 : 1, channels, 16, 13 + turn % 3};
            c.op = {.kernel = kernel, .stride = stride, .padding = padding, .dilation = dilation};
            c.op.groups = kind == 0 ? 1 : kind == 1 ? 2 : static_cast<int>(channels);
            c.op.activation = kActivations[turn % 7 % 3];
            c.outputs = kind == 0 ? dense[turn % 3] : kind == 1 ? 10 : channels;
            c.bias = turn % 5 < 2;
            c.residual = turn % 11 < 4;
            expect_right(c, turn % 8 == 5 ? 2 : 1);
          }
}

TEST(CpuConvolution, EqualsReferenceWithWinograd) {
  for (int64_t channels : {32, 45, 64})
    for (bool residual : {false, true}) {
      Case c{{2, channels, 15, 14},
             48,
             {.kernel = 3, .padding = 1, .activation = Activation::Relu},
             true,
             residual};
      expect_right(c);
    }
}

// Over vectors of 8 and 16, images, depthwise and by Winograd, before and behind a residual's addition.
TEST(CpuConvolution, AppliesEveryActivation) {
  const Shape wide = {1, 32, 15, 14};
  for (Activation activation : kEveryActivation)
    for (bool residual : {false, true})
      for (Case c :
           {Case{{2, 13, 5, 6}, 21, {.kernel = 1}}, Case{{1, 3, 9, 9}, 16, {.kernel = 3, .stride = 2}},
            Case{wide, 48, {.kernel = 3, .padding = 1}},
            Case{wide, 32, {.kernel = 3, .padding = 1, .groups = 32}}}) {
        c.op.activation = activation;
        c.bias = true;
        c.residual = residual;
        // Results of a sigmoid are small beside what it is applied to; so that is small, too.
        expect_right(c, 1, 2);
      }
}

TEST(CpuConvolution, OfAnImageAsSmallAsItsWindow) {
  expect_right({{1, 16, 3, 3}, 16, {.kernel = 3}, true, true});
  expect_right({{1, 16, 1, 1}, 16, {.kernel = 3, .padding = 1}, true, true});
  expect_right({{1, 1, 7, 1}, 1, {.kernel = 7, .padding = {0, 3, 0, 3}}, false, false});
}

TEST(CpuConvolution, TakesItsOwnInputAsTheResidual) {
  for (int kernel : {1, 3})
    for (int64_t channels : {8, 16, 5, 32}) {
      SCOPED_TRACE(fmt::format("kernel {}, {} channels", kernel, channels));
      const Shape input = {2, channels, 9, 8};
      const Weights w = weights(
          {{"a.weight", {channels, channels, 1, 1}}, {"b.weight", {channels, channels, kernel, kernel}}});
      Graph g;
      const Value a =
          g.conv2d(g.image_input("input", input), w.scope("a"), {});  // in the layout that b likes
      const Value b = g.conv2d(a, w.scope("b"), {.kernel = kernel, .padding = kernel / 2});
      g.output("y", g.relu(g.add(b, a)));
      const Graph fused = optimise(g);
      ASSERT_EQ(count<Add>(fused), 0);
      expect_cpu_equals_reference(fused, noise(input, 1), static_cast<double>(channels * kernel * kernel), 2);
    }
}

TEST(CpuConvolution, TakesTheNetworksInputAsTheResidualAndLeavesItAlone) {
  const Shape input = {2, 16, 9, 8};
  Graph g;
  const Value x = g.image_input("input", input);
  g.output(
      "y",
      g.add(g.conv2d(x, weights({{"c.weight", {16, 16, 3, 3}}}).scope("c"), {.kernel = 3, .padding = 1}), x));
  const Graph fused = optimise(g);
  ASSERT_EQ(count<Add>(fused), 0);
  const Tensor in = noise(input, 1), before = in.clone();
  expect_cpu_equals_reference(fused, in, 144);
  EXPECT_TRUE(same_bits(in, before));
}

TEST(CpuConvolution, DoesNotOverwriteAResidualThatIsReadLater) {
  const Shape input = {1, 16, 9, 8};
  const Weights w =
      weights({{"a.weight", {16, 16, 1, 1}}, {"b.weight", {16, 16, 3, 3}}, {"c.weight", {8, 16, 1, 1}}});
  const Conv2d three{.kernel = 3, .padding = 1};
  for (bool as_output : {false, true}) {
    Graph g;
    const Value a = g.conv2d(g.image_input("input", input), w.scope("a"), {});
    const Value middle = g.relu(g.conv2d(a, w.scope("b"), three));
    g.output("sum", g.add(g.conv2d(middle, w.scope("b"), three), a));
    if (as_output)
      g.output("a", a);
    else
      g.output("later", g.conv2d(a, w.scope("c"), {}));
    expect_cpu_equals_reference(optimise(g), noise(input, 1), 144, 3);
  }
}

TEST(CpuConvolution, AChainOfResidualsKeepsEachSum) {
  const Shape input = {2, 16, 8, 8};
  const Weights w = weights({{"a.weight", {16, 16, 3, 3}}, {"b.weight", {16, 16, 3, 3}}});
  Graph g;
  Value x = g.conv2d(g.image_input("input", input), w.scope("a"), {.kernel = 3, .padding = 1});
  for (int i = 0; i < 4; ++i) {
    const Value y = g.relu(g.conv2d(x, w.scope("a"), {.kernel = 3, .padding = 1}));
    x = g.relu(g.add(g.conv2d(y, w.scope("b"), {.kernel = 3, .padding = 1}), x));
  }
  g.output("y", x);
  expect_cpu_equals_reference(optimise(g), noise(input, 1), 144, 9);
}

// A non-local block's: its own input, of one channel, lies as rows do, and oneDNN would go on so.
TEST(CpuConvolution, KeepsTheLayoutThatTheResidualHas) {
  const Shape input = {1, 64, 9, 8};
  const Weights w = weights({{"a.weight", {64, 64, 3, 3}}, {"b.weight", {64, 1, 1, 1}}});
  Graph g;
  const Value a = g.conv2d(g.image_input("input", input), w.scope("a"), {.kernel = 3, .padding = 1});
  const Value one = g.to_map(g.to_rows(g.slice(a, 1, 0, 1), Channels::Last), Channels::Last);
  g.output("y", g.add(g.conv2d(one, w.scope("b"), {}), a));
  const Graph fused = optimise(g);
  expect_cpu_equals_reference(fused, noise(input, 1), 576, 2);
  OnCpu cpu(fused, 1);
  const auto& steps = cpu.executable->report().steps;
  const auto of = [&](const std::string& name) {
    return std::ranges::find_if(
        steps, [&](const PlanReport::Step& s) { return s.operation == "conv2d" && s.name == name; });
  };
  EXPECT_EQ(of("a")->layout, of("b")->layout);
}

// SSD's conv6: oneDNN's direct kernels do not take so wide a padding, and its matrix product gives an image
// other bits at another place in the batch.
TEST(CpuConvolution, WideDilatedPaddingIsRightAndTheSameForEveryPlaceInTheBatch) {
  for (int64_t batch : {1, 2, 3, 5})
    for (const Padding& padding : {Padding(6), Padding(6, 0, 1, 9)})
      for (int threads : {1, 2, 3}) {
        const Shape input = {batch, 24, 19, 19};
        const Weights w = weights({{"weight", {32, 24, 3, 3}}, {"bias", {32}}});
        Graph g;
        g.output("y", g.relu(g.conv2d(g.image_input("input", input), w,
                                      {.kernel = 3, .padding = padding, .dilation = 6})));
        expect_cpu_equals_reference(optimise(g), noise(input, 1), 217);
        const Tensor one = noise({1, 24, 19, 19}, 2);
        Tensor all(DType::F32, input);
        for (int64_t i = 0; i < batch; ++i)
          std::memcpy(all.data() + i * one.bytes(), one.data(), static_cast<size_t>(one.bytes()));
        OnCpu cpu(optimise(g), threads);
        const Tensor y = cpu.run(all).at("y");
        const int64_t row = y.bytes() / batch;
        for (int64_t i = 1; i < batch; ++i)
          EXPECT_EQ(std::memcmp(y.data(), y.data() + i * row, static_cast<size_t>(row)), 0) << "image " << i;
      }
}

TEST(CpuLinear, EqualsReferenceOnOddSizes) {
  for (int64_t batch : {1, 2, 7})
    for (int64_t in : {1, 5, 16, 257})
      for (int64_t out : {1, 3, 16, 33})
        for (bool bias : {false, true}) {
          SCOPED_TRACE(fmt::format("[{}, {}] -> {}{}", batch, in, out, bias ? " bias" : ""));
          Layout layout = {{"fc.weight", {out, in}}};
          if (bias) layout = layout + Layout{{"fc.bias", {out}}};
          Graph g;
          g.output("y", g.linear(g.rows_input("input", {batch, in}), weights(layout).scope("fc")));
          expect_cpu_equals_reference(g, noise({batch, in}, 1), static_cast<double>(in + bias));
        }
}

TEST(CpuLinear, AppliesEveryActivation) {
  const Weights w = weights({{"fc.weight", {17, 37}}, {"fc.bias", {17}}});
  for (Activation activation : kEveryActivation) {
    SCOPED_TRACE(name_of(activation));
    Graph g;
    g.output("y", g.activate(g.linear(g.rows_input("input", {2, 37}), w.scope("fc")), activation));
    expect_cpu_equals_reference(optimise(g), noise({2, 37}, 1), 38);
  }
}

TEST(CpuLinear, FlattensAMapInPyTorchsOrderAndActivates) {
  const Shape input = {3, 16, 4, 3};
  const Weights w = weights({{"conv.weight", {16, 16, 1, 1}}, {"fc.weight", {10, 192}}, {"fc.bias", {10}}});
  Graph g;
  const Value map = g.conv2d(g.image_input("input", input), w.scope("conv"), {});
  g.output("y", g.relu(g.linear(g.flatten(map), w.scope("fc"))));
  expect_cpu_equals_reference(optimise(g), noise(input, 1), 192, 2);
}

}  // namespace
}  // namespace tyto
