// Values of every type through a plan on the CPU; the emulated device runs the same graphs.
#include <gtest/gtest.h>

#include "engine/runtime/plan_graph.h"
#include "engine/self_test/cases.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/typed_graphs.h"

namespace tyto {
namespace {

struct OnTheCpu : testing::Test {
  Context context{{.device = "cpu", .threads = 1}};
};

TEST_F(OnTheCpu, GraphsOfManyTypesEqualTheReference) {
  for (const TypedGraph& typed : typed_graphs())
    expect_typed_equals_reference(typed, context, Precision::Fp32);
}

TEST_F(OnTheCpu, NamesAnInputThatIsMissingOrNotThere) {
  const TypedGraph typed = two_inputs();
  Plan plan = plan_graph(typed.graph, context, Precision::Fp32);
  auto inputs = noise_for(typed.graph);
  expect_error([&] { plan.run(inputs.at("small")); }, ErrorKind::Usage, {"2 inputs", "large, small"});
  inputs.erase("large");
  expect_error([&] { plan.run(inputs); }, ErrorKind::Usage, {"'large'", "F32 [2, 3, 9, 7]"});
  inputs = noise_for(typed.graph);
  inputs.emplace("lidar", Tensor::zeros(DType::F32, {1}));
  expect_error([&] { plan.run(inputs); }, ErrorKind::Usage, {"'lidar'", "large, small"});
  inputs = noise_for(typed.graph);
  inputs.at("small") = Tensor::zeros(DType::I32, {2, 4});
  expect_error([&] { plan.run(inputs); }, ErrorKind::Shape, {"'small'", "F32 [2, 4]", "I32 [2, 4]"});
}

}  // namespace
}  // namespace tyto
