// Model files of every format that tyto ever wrote stay readable: one fixture each, with what PyTorch
// computes from it.
#include <gtest/gtest.h>

#include <cmath>

#include "tyto/plan.h"

namespace tyto {
namespace {

TEST(ModelFormat, Version1RunsAsItDidInPyTorch) {
  const Model model(TYTO_TEST_FIXTURES "/model_format_1.safetensors");
  EXPECT_EQ(model.info().network, "resnet");
  EXPECT_EQ(model.info().options.at("stride"), "1");
  EXPECT_EQ(model.info().class_names, (std::vector<std::string>{"owl", "fox", "hare"}));
  EXPECT_EQ(model.input_shapes(1), (InputShapes{{"input", {1, 3, 32, 32}}}));
  EXPECT_EQ(model.image_input().name, "input");
  EXPECT_EQ(model.info().task, std::nullopt);
  EXPECT_TRUE(model.intact());

  Tensor input(DType::F32, {1, 3, 32, 32});
  for (size_t i = 0; float& v : input.as<float>()) v = std::sin(static_cast<float>(i++) * 0.37f);
  Context context({.device = "cpu"});
  Plan plan(model, context, {{"input", input.shape()}});
  const Tensor& logits = plan.run(input).at("logits");
  const double pytorch[] = {-1.6769107580184937, 3.6120851039886475, 6.813392162322998};
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(logits.as<float>()[i], pytorch[i], 2e-5 * 6.8);
}

// fixtures/make_model_format_2.py made it.
TEST(ModelFormat, Version2RunsAsItsFormulaSays) {
  const Model model(TYTO_TEST_FIXTURES "/model_format_2.safetensors");
  const ModelInfo& info = model.info();
  EXPECT_EQ(info.network, "several_inputs");
  EXPECT_EQ(info.task, Task::Raw);
  EXPECT_EQ(info.class_names, (std::vector<std::string>{"owl", "fox"}));
  EXPECT_EQ(info.state, (std::map<std::string, std::string>{{"before", "lifted"}}));
  EXPECT_EQ(model.input_shapes(2), (InputShapes{{"photo", {2, 3, 16, 12}},
                                                {"cameras", {4, 3, 5, 6}},
                                                {"points", {2, 4, 6}},
                                                {"table", {2, 4, 3}},
                                                {"table.count", {2}},
                                                {"before", {2, 4, 5}}}));
  EXPECT_EQ(info.outputs, (std::vector<OutputInfo>{{"map", {}, {}},
                                                   {"seen", {}, {}},
                                                   {"lifted", DType::F32, {}},
                                                   {"rows", DType::I32, "rows.count"}}));
  EXPECT_TRUE(model.intact());

  std::map<std::string, Tensor> inputs;
  for (const auto& [name, shape] : model.input_shapes(1))
    inputs.emplace(name, Tensor::zeros(name.starts_with("table") ? DType::I32 : DType::F32, shape));
  for (size_t i = 0; float& v : inputs.at("points").as<float>()) v = static_cast<float>(i++);
  inputs.at("before").as<float>()[0] = 100;
  Context context({.device = "cpu"});
  Plan plan(model, context, model.input_shapes(1));
  const auto& outputs = plan.run(inputs);
  // Points 0 to 5 through weights sin(0.37 i) and a bias sin(0).
  double first = 100;
  for (int i = 0; i < 6; ++i) first += i * std::sin(0.37 * i);
  EXPECT_NEAR(outputs.at("lifted").as<float>()[0], first, 1e-4);
  EXPECT_EQ(outputs.at("rows").shape(), (Shape{1, 4, 3}));
}

// fixtures/make_model_format_3.py made it.
TEST(ModelFormat, Version3KnowsItsGridAndItsSteadyInputs) {
  const Model model(TYTO_TEST_FIXTURES "/model_format_3.safetensors");
  const ModelInfo& info = model.info();
  EXPECT_EQ(info.task, Task::Bev);
  EXPECT_EQ(info.grid, (BevGridInfo{.step = {1, 1, 1}, .cells = {1, 1, 1}, .lidar_frame = true}));
  for (const InputInfo& input : info.inputs) EXPECT_EQ(input.steady, !input.is_images()) << input.name;
  EXPECT_TRUE(model.intact());

  std::map<std::string, Tensor> inputs;
  for (const auto& [name, shape] : model.input_shapes(1))
    inputs.emplace(name, Tensor::zeros(DType::F32, shape));
  inputs.at("camera_to_ego").as<float>()[47] = 7;
  Context context({.device = "cpu"});
  Plan plan(model, context, model.input_shapes(1));
  const Tensor& map = plan.run(inputs).at("map");
  EXPECT_EQ(map.shape(), (Shape{1, 3 * (9 + 16 + 9 + 3 * 8 * 16)}));
  EXPECT_EQ(map.as<float>()[3 * 9 + 47], 7);
}

}  // namespace
}  // namespace tyto
