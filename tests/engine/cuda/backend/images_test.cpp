// Images that the emulated device preprocesses itself: the CPU's bits, whatever their sizes and number.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/cuda/backend/device.h"
#include "engine/cuda/image_upload.h"
#include "engine/images/image_fit.h"
#include "engine/images/preprocessing.h"
#include "engine/runtime/plan_graph.h"
#include "support/compare.h"
#include "support/random_weights.h"
#include "support/small_resnet.h"
#include "tyto/feature_extractor.h"

namespace tyto {
namespace {

constexpr int64_t kRows = 3;

void submit_images(Plan& plan, std::span<const Image> images, const Preprocessing& rule) {
  submit(plan, {{"input", ImageBatch{images, &rule}}});
}

// A plan whose output is its input, so that what images become is seen.
Plan identity_plan(Context& context, const NetworkSize& size) {
  Graph graph;
  graph.output("image", graph.input("input", {kRows, 3, size.height, size.width}));
  return plan_graph(graph, context, Precision::Fp32);
}
Plan identity_plan(Context& context, const Preprocessing& rule) {
  return identity_plan(context, nominal_size(rule));
}

// What the CPU makes of the images; the other rows zero.
Tensor on_cpu(const Preprocessing& rule, std::span<const Image> images) {
  NetworkSize size = nominal_size(rule);
  if (varies(rule)) {
    const ImageFit fit = fit_image(rule, images.front().width, images.front().height);
    size = {fit.height, fit.width};
  }
  Tensor input = Tensor::zeros(DType::F32, {kRows, 3, size.height, size.width});
  Preprocessor preprocessor(rule);
  const size_t row = input.as<float>().size() / kRows;
  for (size_t i = 0; i < images.size(); ++i)
    preprocessor.run(images[i], input.as<float>().subspan(i * row, row));
  return input;
}

Image flat_picture(int width, int height, uint8_t value) {
  return {width, height, std::vector<uint8_t>(size_t{3} * width * height, value)};
}

class Images : public Emulated, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override { emulation::set_schedule(emulation::schedule_from(GetParam())); }
};

TEST_P(Images, HaveTheCpusBitsByEveryRule) {
  Context context(on("cuda:0"));
  const std::vector<Image> images = {picture(1, 46, 32), picture(2, 46, 32), picture(3, 7, 90)};
  for (const Resampling resampling :
       {Resampling::PilBilinear, Resampling::PilBicubic, Resampling::PilLanczos, Resampling::CvBilinear,
        Resampling::TorchBilinear, Resampling::SkimageBilinear})
    for (const Fit fit : {Fit::Stretch, Fit::Letterbox, Fit::CenterCrop, Fit::BottomCrop})
      for (const ChannelOrder channels : {ChannelOrder::RGB, ChannelOrder::BGR}) {
        const Preprocessing rule = {.height = 16,
                                    .width = 23,
                                    .resampling = resampling,
                                    .fit = fit,
                                    .shorter_side = 14,
                                    .fill = 114,
                                    .channels = channels,
                                    .mean = {0.485f, 0.456f, 0.406f},
                                    .std = {0.229f, 0.224f, 0.225f}};
        Plan plan = identity_plan(context, rule);
        for (size_t count : {size_t{3}, size_t{0}, size_t{1}}) {
          const std::span<const Image> some = std::span(images).first(count);
          submit_images(plan, some, rule);
          EXPECT_TRUE(same_bits(plan.collect().at("image"), on_cpu(rule, some))) << to_json(rule) << count;
        }
      }
}

TEST_P(Images, OfOneNetworkSizeHaveTheCpusBitsWhereSizesVary) {
  Context context(on("cuda:0"));
  const std::vector<Image> images = {picture(1, 46, 32), picture(2, 92, 64), picture(3, 46, 32)};
  for (const Resampling resampling : {Resampling::PilBicubic, Resampling::CvBilinear,
                                      Resampling::TorchBilinear, Resampling::SkimageBilinear})
    for (const Preprocessing& rule :
         {Preprocessing{.resampling = resampling, .fit = Fit::ShorterSide, .shorter_side = 14},
          Preprocessing{
              .resampling = resampling, .fit = Fit::ShorterSide, .shorter_side = 14, .longest_side = 17},
          Preprocessing{.resampling = resampling, .fit = Fit::LongestSide, .longest_side = 23},
          Preprocessing{.resampling = resampling,
          .fit = Fit::Within,
          .shorter_side = 14,
          .longest_side = 19,
          .multiple_of = kernels::gives_bytes(resampling) ? 0 : 8}}) {
      const ImageFit fit = fit_image(rule, 46, 32);
      Plan plan = identity_plan(context, NetworkSize{fit.height, fit.width});
      for (size_t count : {size_t{3}, size_t{1}}) {
        const std::span<const Image> some = std::span(images).first(count);
        submit_images(plan, some, rule);
        EXPECT_TRUE(same_bits(plan.collect().at("image"), on_cpu(rule, some))) << to_json(rule) << count;
      }
      const Image other = picture(4, 32, 46);
      EXPECT_NE(error_of([&] {
                  submit_images(plan, {&other, 1}, rule);
                }).find("do not fit the input"),
                std::string::npos);
    }
}

INSTANTIATE_TEST_SUITE_P(All, Images, testing::Values("forward", "reverse", "shuffled:1", "warp-ahead:3"));

// 27 MB each, so that three do not go in one piece, and one that is larger than a piece.
TEST_F(Emulated, ImagesBeyondOnePieceGoInSeveral) {
  Context context(on("cuda:0"));
  const Preprocessing rule = {.height = 4, .width = 4, .resampling = Resampling::CvBilinear};
  const std::vector<Image> images = {flat_picture(3000, 3000, 10), flat_picture(3000, 3000, 20),
                                     flat_picture(3000, 3000, 30)};
  ASSERT_GT(3 * images[0].rgb.size(), static_cast<size_t>(cuda::ImageUpload::kMaxStaged));
  Plan plan = identity_plan(context, rule);
  submit_images(plan, images, rule);
  EXPECT_TRUE(same_bits(plan.collect().at("image"), on_cpu(rule, images)));

  const std::vector<Image> huge = {picture(1), flat_picture(5000, 5000, 40), picture(2)};
  ASSERT_GT(huge[1].rgb.size(), static_cast<size_t>(cuda::ImageUpload::kMaxStaged));
  submit_images(plan, huge, rule);
  EXPECT_TRUE(same_bits(plan.collect().at("image"), on_cpu(rule, huge)));
}

TEST_F(Emulated, ImagesMayGoWhenTheyAreSubmitted) {
  Context context(on("cuda:0"));
  const Preprocessing rule = {.height = 9, .width = 8};
  Plan plan = identity_plan(context, rule);
  std::vector<Tensor> want;
  for (uint32_t i = 0; i < 2; ++i) {
    std::vector<Image> images = {picture(i + 1), picture(i + 2, 20, 30)};
    want.push_back(on_cpu(rule, images));
    submit_images(plan, images, rule);
    for (Image& image : images) std::ranges::fill(image.rgb, uint8_t{0});
  }
  for (const Tensor& expected : want) EXPECT_TRUE(same_bits(plan.collect().at("image"), expected));
}

TEST_F(Emulated, ImagesOnAnotherGpuThanTheCallersHaveTheCpusBits) {
  emulation::set_device_count(2);
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
  Context context(on("cuda:1"));
  const Preprocessing rule = {.height = 9, .width = 8};
  Plan plan = identity_plan(context, rule);
  const std::vector<Image> images = {picture(1), picture(2, 20, 30)};
  submit_images(plan, images, rule);
  EXPECT_TRUE(same_bits(plan.collect().at("image"), on_cpu(rule, images)));
}

TEST_F(Emulated, AWarmBatchOfImagesAllocatesNothingAndWaitsOnce) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  FeatureExtractor extractor(model, context, {.batch = 2});
  const std::vector<Image> images = {picture(1), picture(2)};
  for (int i = 0; i < 4; ++i) extractor.extract(images);  // both slots; the graph is captured
  const auto before = emulation::runtime_counts();
  extractor.extract(images);
  const auto after = emulation::runtime_counts();
  EXPECT_EQ(after.allocations, before.allocations);
  EXPECT_EQ(after.graph_launches, before.graph_launches + 1);
  EXPECT_EQ(after.host_synchronisations, before.host_synchronisations + 1);
}

TEST_F(Emulated, ImagesOfManySizesHaveTheFeaturesOfTheirPreprocessedInputs) {
  const Model model(write_small_resnet(folder / "net.safetensors", small_resnet_info_of_many_sizes()));
  const Preprocessing rule = preprocessing_from_json(model.image_input().preprocessing);
  Context context(on("cuda:0"));
  FeatureExtractor extractor(model, context, {.batch = kRows, .flip = false});
  const std::vector<Image> images = {picture(1, 40, 50), picture(2, 50, 40), picture(3, 40, 50),
                                     picture(4, 80, 100), picture(5, 40, 50)};
  const Tensor got = extractor.extract(images);
  const auto width = static_cast<size_t>(extractor.dimensions());
  const auto expect = [&](std::span<const Image> batch, const Tensor& input,
                          const std::vector<size_t>& indices) {
    const Tensor want = extractor.run(input).clone();
    for (size_t row = 0; row < batch.size(); ++row)
      EXPECT_TRUE(std::ranges::equal(got.as<float>().subspan(indices[row] * width, width),
                                     want.as<float>().subspan(row * width, width)))
          << indices[row];
  };
  const std::vector<Image> together = {images[0], images[2], images[3]};
  expect(together, on_cpu(rule, together), {0, 2, 3});
  for (const size_t alone : {size_t{1}, size_t{4}}) {
    const std::span<const Image> image(&images[alone], 1);
    const ImageFit fit = fit_image(rule, image[0].width, image[0].height);
    Tensor input(DType::F32, {1, 3, fit.height, fit.width});
    Preprocessor(rule).run(image[0], input.as<float>());
    expect(image, input, {alone});
  }
}

TEST_F(Emulated, AnImageThatIsNoneIsRefusedAndTheNextBatchRuns) {
  Context context(on("cuda:0"));
  const Preprocessing rule = {.height = 9, .width = 8};
  Plan plan = identity_plan(context, rule);
  std::vector<Image> images = {picture(1), picture(2)};
  images[1].rgb.pop_back();
  EXPECT_NE(error_of([&] { submit_images(plan, images, rule); }).find("40 x 50"), std::string::npos);
  const std::vector<Image> many(kRows + 1, picture(1));
  EXPECT_NE(error_of([&] { submit_images(plan, many, rule); }).find("4 images"), std::string::npos);
  images[1] = picture(2);
  submit_images(plan, images, rule);
  EXPECT_TRUE(same_bits(plan.collect().at("image"), on_cpu(rule, images)));
}

}  // namespace
}  // namespace tyto
