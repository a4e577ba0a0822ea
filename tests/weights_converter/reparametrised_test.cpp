// Weights that a checkpoint keeps in parts, against those that PyTorch makes of them.
#include "weights_converter/reparametrised.h"

#include <limits>

#include "files/memory_source.h"
#include "files/safetensors.h"
#include "support/errors.h"
#include "weights_converter/checkpoint/checkpoint.h"
#include "weights_converter/checkpoint_cases.h"

namespace tyto {
namespace {

TEST(WeightsOfParts, AreThoseThatPyTorchComputesWith) {
  const Checkpoint checkpoint(checkpoint_folder() / "parts.pth");
  const auto tensors = with_weights_of_parts(checkpoint.main().tensors);
  const SafetensorsFile golden(checkpoint_folder() / "parts.pth.golden");
  for (const std::string& name : golden.names()) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(tensors->find(name).has_value());
    const Tensor got = tensors->read(name), want = golden.read(name);
    ASSERT_EQ(got.shape(), want.shape());
    EXPECT_EQ(tensors->find(name)->shape, want.shape());
    // A sum of at most all elements in fp32 on PyTorch's side, a division and a product on both.
    const float tolerance =
        static_cast<float>(want.elements() + 4) * std::numeric_limits<float>::epsilon() / 2;
    float largest = 0;
    for (float v : want.as<float>()) largest = std::max(largest, std::abs(v));
    for (size_t i = 0; i < want.as<float>().size(); ++i)
      EXPECT_NEAR(got.as<float>()[i], want.as<float>()[i], tolerance * largest) << i;
  }
  EXPECT_EQ(tensors->names().size(), golden.names().size() + 1);  // and the one that cannot be made
}

TEST(WeightsOfParts, NameTheWeightUnderAParametrizationThatTheyDoNotKnow) {
  const Checkpoint checkpoint(checkpoint_folder() / "parts.pth");
  const auto tensors = with_weights_of_parts(checkpoint.main().tensors);
  ASSERT_TRUE(tensors->find("unknown.weight").has_value());
  EXPECT_EQ(tensors->find("unknown.weight")->shape, (Shape{4, 4}));
  expect_error([&] { tensors->read("unknown.weight"); }, ErrorKind::Unsupported,
               {"parts.pth", "'unknown.weight'", "remove_parametrizations"});
}

TEST(WeightsOfParts, OfShapesThatDoNotFitStayAsTheyAreOrAreForeign) {
  const auto source = [](const std::vector<std::pair<std::string, Shape>>& shapes) {
    std::vector<std::pair<std::string, Tensor>> tensors;
    for (const auto& [name, shape] : shapes) tensors.emplace_back(name, Tensor::zeros(DType::F32, shape));
    return with_weights_of_parts(std::make_shared<MemorySource>(std::move(tensors)));
  };
  const auto plain = source({{"a.weight_g", {3, 1}}, {"a.weight_v", {4, 2}}});
  EXPECT_EQ(plain->names(), (std::vector<std::string>{"a.weight_g", "a.weight_v"}));
  for (const Shape& u : {Shape{5}, Shape{0}, Shape{}}) {
    const auto foreign = source({{"a.weight_orig", {4, 2}}, {"a.weight_u", u}, {"a.weight_v", {2}}});
    ASSERT_TRUE(foreign->find("a.weight").has_value()) << u.str();
    EXPECT_FALSE(foreign->find("a.weight")->foreign_type.empty()) << u.str();
  }
  const auto whole = source({{"a.weight", {4, 2}}, {"a.weight_orig", {4, 2}}, {"a.weight_mask", {4, 2}}});
  EXPECT_EQ(whole->names().size(), 3u);
}

}  // namespace
}  // namespace tyto
