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
  EXPECT_EQ(model.input_shapes(1).at("input"), (Shape{1, 3, 32, 32}));
  EXPECT_TRUE(model.intact());

  Tensor input(DType::F32, {1, 3, 32, 32});
  for (size_t i = 0; float& v : input.as<float>()) v = std::sin(static_cast<float>(i++) * 0.37f);
  Context context({.device = "cpu"});
  Plan plan(model, context, {{"input", input.shape()}});
  const Tensor& logits = plan.run(input).at("logits");
  const double pytorch[] = {-1.6769107580184937, 3.6120851039886475, 6.813392162322998};
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(logits.as<float>()[i], pytorch[i], 2e-5 * 6.8);
}

}  // namespace
}  // namespace tyto
