// What networks that see from above read off their tensors beside their layers; whole networks are compared
// with PyTorch in tests/parity.
#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/small_lift_splat_shoot.h"

namespace tyto {
namespace {

std::vector<InputInfo> inputs_of(const std::map<std::string, std::string>& given) {
  const Network& network = find_network("lift_splat_shoot");
  return network.inputs(Weights(small_lift_splat_shoot()), Options(network, given));
}

TEST(LiftSplatShoot, TakesARigsImagesAsItsTrainingCutThem) {
  const std::vector<InputInfo> inputs = inputs_of({{"cameras", "5"}});
  ASSERT_EQ(inputs.size(), 4u);
  EXPECT_EQ(inputs[0].views, 5);
  const Preprocessing rule = preprocessing_from_json(inputs[0].preprocessing);
  EXPECT_EQ(rule.height, 32);  // of the frustum's last pixel
  EXPECT_EQ(rule.width, 64);
  EXPECT_EQ(rule.fit, Fit::BottomCrop);
  EXPECT_EQ(rule.bottom, 0.11);
  EXPECT_EQ(rule.resampling, Resampling::PilBicubic);
  for (const auto& [at, name, side] : {std::tuple(1, "intrinsics", 3), std::tuple(2, "camera_to_ego", 4),
                                       std::tuple(3, "image_augmentation", 3)}) {
    const InputInfo& input = inputs[static_cast<size_t>(at)];
    EXPECT_EQ(input.name, name);
    EXPECT_EQ(input.sample, (Shape{5, side, side}));
    EXPECT_TRUE(input.steady);
  }
  expect_error([] { inputs_of({{"cameras", "0"}}); }, ErrorKind::Usage, {"cameras=0"});
}

TEST(LiftSplatShoot, SaysWhereItsMapLies) {
  const Network& network = find_network("lift_splat_shoot");
  const Weights weights(small_lift_splat_shoot());
  const Options options(network, {{"cameras", "1"}});
  const std::vector<InputInfo> inputs = network.inputs(weights, options);
  Graph graph;
  const NetworkOutputs built = build_whole(graph, network, weights, options, inputs, input_shapes(inputs, 3));
  EXPECT_EQ(built.task, Task::Bev);
  EXPECT_EQ(built.classes, 1);
  EXPECT_EQ(built.grid, (BevGridInfo{{-8, -8, -1}, {2, 1, 2}, {8, 16, 2}}));
  EXPECT_EQ(graph.shape(built.values[0].second), (Shape{3, 1, 8, 16}));
  EXPECT_EQ(graph.shape(built.values[1].second), (Shape{3, 8, 8, 16}));  // four features of two levels
}

}  // namespace
}  // namespace tyto
