#include "engine/runtime/admission.h"

#include <gtest/gtest.h>

#include "engine/graph/passes.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/small_resnet.h"
#include "support/small_ssd.h"

namespace tyto {
namespace {

const Room kAll = {int64_t{1} << 50, "there is a lot"};

Graph small_ssd_graph(int64_t batch) {
  return network_graph("ssd300", weights(small_ssd_layout()), {batch, 3, 300, 300});
}

Graph of_one(const Shape& input) {
  Graph g;
  g.output("y", g.relu(input.rank() == 4 ? g.image_input("input", input) : g.input("input", input)));
  return g;
}

TEST(Admission, TheLeastIsNeverMoreThanAPlanTakesNorOfAnotherOrder) {
  for (const Graph& graph :
       {optimise(small_resnet_graph(3)), small_resnet_graph(2), optimise(small_ssd_graph(1))}) {
    const OnCpu cpu(graph);
    const int64_t least = least_activation_bytes(graph, Precision::Fp32);
    EXPECT_LE(least, cpu.executable->report().activation_bound);
    EXPECT_GE(4 * least, cpu.executable->report().activation_bound);  // few channels fill no blocks
  }
}

TEST(Admission, ViewsAndSumsInPlaceTakeNothing) {
  const Weights w = weights({{"c.weight", {4, 4, 1, 1}}});
  Graph g;
  const Value a = g.conv2d(g.image_input("input", {2, 4, 8, 8}), w.scope("c"), {});
  const Value b = g.relu(g.add(g.conv2d(a, w.scope("c"), {}), a));
  g.output("y", g.flatten(b));
  const Graph fused = optimise(g);
  ASSERT_EQ(count<Add>(fused), 0);
  EXPECT_EQ(least_activation_bytes(fused, Precision::Fp32), 2 * 4 * 8 * 8 * 4);
  EXPECT_EQ(least_activation_bytes(fused, Precision::Bf16), 2 * 4 * 8 * 8 * 2);
}

TEST(Admission, SaysWhatDoesNotFitWhereAndWhatToDo) {
  const Graph graph = optimise(small_resnet_graph(64));
  const auto admitted_to = [&](int64_t bytes) {
    return [=] { Admission(graph, Precision::Fp32, 0, kAll, {bytes, "the box holds less"}); };
  };
  const int64_t least = least_activation_bytes(graph, Precision::Fp32);
  EXPECT_NO_THROW(admitted_to(least)());
  expect_error(admitted_to(least - 1), ErrorKind::Memory,
               {"the fp32 plan for [64, 3, 64, 32] needs at least 1 MiB",
                "layer 'conv1' makes [64, 8, 32, 16]", "the box holds less", "use --batch 63 or smaller"});
  expect_error(admitted_to(0), ErrorKind::Memory, {"not even one image fits"});
  const Admission admission(graph, Precision::Fp32, 0, kAll, kAll);
  expect_error(
      [&] {
        admission.plan(int64_t{3} << 20, {1 << 20, "1 MiB is left"});
      },
      ErrorKind::Memory, {"needs 3 MiB, and 1 MiB is left", "--batch 21 "});
}

TEST(Admission, CountsAnInputThatIsLargerThanAllThatIsMadeOfIt) {
  Graph g;
  g.output("y", g.global_average_pool(g.image_input("input", {1, 3, 1 << 14, 1 << 14})));
  const Room memory = {int64_t{1} << 30, "1024 MiB is all"};
  expect_error([&] { Admission(g, Precision::Fp32, 0, memory, memory); }, ErrorKind::Memory,
               {"layer 'input'", "3072 MiB", "1024 MiB is all"});
}

TEST(Admission, RefusesImagesBeyondWhatLibrariesCount) {
  for (const Shape& input : {Shape{1, 1, 1 << 14, (1 << 14) + 1}, Shape{1, 1, 1, (1 << 20) + 1},
                             Shape{(1 << 28) + 1, 1, 1, 1}, Shape{(1 << 28) + 1, 2}})
    expect_error([&] { Admission(of_one(input), Precision::Fp32, 0, kAll, kAll); }, ErrorKind::Unsupported,
                 {"'input'", input.str(), "2^28"});
  for (const Shape& input : {Shape{1, 1, 1 << 14, 1 << 14}, Shape{1, 1, 1 << 28, 1}, Shape{1 << 28, 2}})
    EXPECT_NO_THROW(Admission(of_one(input), Precision::Fp32, 0, kAll, kAll));
}

TEST(Admission, RefusesACopyThatTheMemoryDoesNotHold) {
  const Admission admission(of_one({1, 1, 1, 1}), Precision::Fp32, 0, {1000, "1000 bytes is all"}, kAll);
  EXPECT_NO_THROW(admission.value("conv6", {1, 10, 5, 5}, DType::F32, Kind::Map));
  expect_error(
      [&] {
        admission.value("conv6", {1, 10, 5, 6}, DType::F32, Kind::Map);
      },
      ErrorKind::Memory, {"'conv6'", "[1, 10, 5, 6]", "1000 bytes is all"});
}

}  // namespace
}  // namespace tyto
