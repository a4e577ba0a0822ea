#include "engine/runtime/steady_inputs.h"

#include <gtest/gtest.h>

#include "support/random_values.h"

namespace tyto {
namespace {

std::vector<int32_t> changed(const SteadyInputs& steady) {
  return {steady.changed(), steady.changed() + steady.samples()};
}

TEST(SteadyInputs, AreComparedSampleBySampleWithTheRunBefore) {
  Graph g;
  g.input("moving", {3, 2});
  g.input("rows", {6, 2}, Elements::F32, /*counted=*/false, /*steady=*/true);  // two a sample
  g.input("table", {3, 4}, Elements::I32, /*counted=*/true, /*steady=*/true);
  SteadyInputs steady(g);
  ASSERT_EQ(steady.samples(), 3);
  Tensor moving = noise({3, 2}, 1), rows = noise({6, 2}, 2), table = Tensor::zeros(DType::I32, {3, 4}),
         count = Tensor::zeros(DType::I32, {3});
  const std::vector<BoundInput> inputs = {&moving, &rows, &table, &count};
  using List = std::vector<int32_t>;
  EXPECT_EQ(steady.keep(inputs), 3);
  EXPECT_EQ(changed(steady), (List{1, 1, 1}));
  moving.as<float>()[0] += 1;
  EXPECT_EQ(steady.keep(inputs), 0);
  EXPECT_EQ(changed(steady), (List{0, 0, 0}));
  rows.as<float>()[11] += 1;
  count.as<int32_t>()[0] += 1;
  EXPECT_EQ(steady.keep(inputs), 2);
  EXPECT_EQ(changed(steady), (List{1, 0, 1}));
  table.as<int32_t>()[5] += 1;
  EXPECT_EQ(steady.keep(inputs), 1);
  EXPECT_EQ(changed(steady), (List{0, 1, 0}));
  steady.forget();
  EXPECT_EQ(steady.keep(inputs), 3);
  EXPECT_EQ(steady.keep(inputs), 0);
}

TEST(SteadyInputs, ThatSamplesDoNotShareOutAreOfEachOfThem) {
  Graph g;
  g.input("samples", {2, 4}, Elements::F32, false, true);
  g.input("all", {3, 1}, Elements::F32, false, true);
  SteadyInputs steady(g);
  Tensor samples = noise({2, 4}, 1), all = noise({3, 1}, 2);
  const std::vector<BoundInput> inputs = {&samples, &all};
  EXPECT_EQ(steady.keep(inputs), 2);
  EXPECT_EQ(steady.keep(inputs), 0);
  all.as<float>()[0] += 1;
  EXPECT_EQ(steady.keep(inputs), 2);
}

TEST(SteadyInputs, AreNoneWithoutOne) {
  Graph g;
  g.input("x", {2, 4});
  SteadyInputs steady(g);
  const Tensor x = noise({2, 4}, 1);
  const BoundInput input = &x;
  EXPECT_EQ(steady.samples(), 0);
  EXPECT_EQ(steady.keep({&input, 1}), 0);
}

}  // namespace
}  // namespace tyto
