// Model files that were cut or altered: each opens and runs, or is refused in one sentence.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <string>

#include "files/file.h"
#include "support/errors.h"
#include "support/temporary_folder.h"
#include "tyto/feature_extractor.h"
#include "tyto/plan.h"

namespace tyto {
namespace {

class ModelFuzz : public testing::TestWithParam<int> {
 protected:
  std::string good_model() const {
    constexpr uint64_t kLimit = 1 << 20;
    return read_text(fmt::format("{}/model_format_{}.safetensors", TYTO_TEST_FIXTURES, GetParam()), kLimit);
  }
};

std::map<std::string, Tensor> zeros(const Plan& plan) {
  std::map<std::string, Tensor> inputs;
  for (const TensorInfo& input : plan.inputs())
    inputs.emplace(input.name, Tensor::zeros(input.type, input.shape));
  return inputs;
}

// Whether the bytes open, compile and run as a model. The hash is not asked, or it would stop nearly all.
bool runs(const std::string& bytes, const std::filesystem::path& path) {
  write_text(path, bytes);
  return succeeds_or_explains([&] {
    const Model model(path);
    for (const auto& [name, shape] : model.input_shapes(1))
      if (shape.elements() > 3 * 256 * 256) return;  // sound, and too slow for a test
    Context context({.device = "cpu", .threads = 1});
    if (model.info().inputs.size() > 1) {
      Plan plan(model, context, model.input_shapes(1));
      plan.run(zeros(plan));
      return;
    }
    FeatureExtractor extractor(model, context, {.batch = 1, .flip = false});
    const Image image{2, 1, {9, 80, 200, 31, 7, 255}};
    EXPECT_EQ(extractor.extract({&image, 1}).dim(0), 1);
  });
}

TEST_P(ModelFuzz, EveryCutIsRefused) {
  const TemporaryFolder folder;
  const std::string good = good_model();
  for (size_t length = 0; length < good.size(); length += length < 256 ? 16 : 131)
    EXPECT_FALSE(runs(good.substr(0, length), folder / "cut")) << length;
}

TEST_P(ModelFuzz, AlterationsRunOrAreRefused) {
  const TemporaryFolder folder;
  const std::string good = good_model();
  const size_t description = good.find("tensors_sha256");
  std::mt19937 random(7);
  const std::string digits = "0123456789-.eE[]{}\",:\\u";
  int sound = 0, refused = 0;
  for (int round = 0; round < 600; ++round) {
    std::string bad = good;
    for (uint32_t edits = 1 + random() % 3; edits > 0; --edits) {
      // Two of three in the header, where meaning is densest.
      const size_t at = random() % (random() % 3 ? description : bad.size());
      bad[at] = random() % 2 ? digits[random() % digits.size()] : static_cast<char>(random());
    }
    ++(runs(bad, folder / "altered") ? sound : refused);
  }
  EXPECT_GT(sound, 10);
  EXPECT_GT(refused, 200);
}

INSTANTIATE_TEST_SUITE_P(OfEveryFormat, ModelFuzz, testing::Values(1, 2, 3));

}  // namespace
}  // namespace tyto
