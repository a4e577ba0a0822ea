#include "tyto/feature_extractor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/image/bicubic.h"
#include "kernels/image/flip.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/small_agw.h"
#include "support/small_resnet.h"
#include "support/temporary_folder.h"

namespace tyto {
namespace {

constexpr int64_t kBatch = 2;
const Shape kInput = {kBatch, 3, kSmallHeight, kSmallWidth};

Tensor mirrored(const Tensor& x) {
  Tensor out(DType::F32, x.shape());
  kernels::flip_horizontal_cpu(x.as<float>().data(), x.dim(0) * x.dim(1) * x.dim(2), x.dim(3),
                               out.as<float>().data());
  return out;
}

Tensor rescaled(const Tensor& x, double factor) {
  Tensor out(DType::F32, {x.dim(0), x.dim(1), kernels::bicubic_size(x.dim(2), factor),
                          kernels::bicubic_size(x.dim(3), factor)});
  kernels::bicubic_cpu(x.as<float>().data(), out.as<float>().data(),
                       {x.dim(0) * x.dim(1), x.dim(2), x.dim(3), factor});
  return out;
}

class FeatureExtractorTest : public testing::Test {
 protected:
  const TemporaryFolder folder;
  const Model model{write_small_resnet(folder / "m")};
  Context context{{.device = "cpu", .threads = 1}};
  const Tensor input = noise(kInput, 1);

  // The sum of the network's features over these inputs, each row divided by its length.
  Tensor summed(const std::vector<Tensor>& inputs) {
    std::vector<double> sums;
    for (const Tensor& x : inputs) {
      Plan plan(model, context, {{"input", x.shape()}}, {.outputs = {"features"}});
      const auto features = plan.run(x).at("features").as<float>();
      sums.resize(features.size());
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += double{features[i]};
    }
    const size_t width = sums.size() / kBatch;
    Tensor out(DType::F32, {kBatch, static_cast<int64_t>(width)});
    for (size_t row = 0; row < kBatch; ++row) {
      double square = 0;
      for (size_t i = 0; i < width; ++i) square += sums[row * width + i] * sums[row * width + i];
      for (size_t i = row * width; i < (row + 1) * width; ++i)
        out.as<float>()[i] = static_cast<float>(sums[i] / std::sqrt(square));
    }
    return out;
  }
};

TEST_F(FeatureExtractorTest, SumsTheImageAndItsMirrorImage) {
  FeatureExtractor extractor(model, context, {.batch = kBatch, .flip = true});
  EXPECT_EQ(extractor.dimensions(), 64);
  EXPECT_LE(relative_error(extractor.run(input), summed({input, mirrored(input)})),
            sum_tolerance(Precision::Fp32, 2, 1));
}

TEST_F(FeatureExtractorTest, WithoutFlipIsTheNetworksOutputAtUnitLength) {
  FeatureExtractor extractor(model, context, {.batch = kBatch, .flip = false});
  EXPECT_LE(relative_error(extractor.run(input), summed({input})), sum_tolerance(Precision::Fp32, 1, 1));
}

TEST_F(FeatureExtractorTest, ScalesCompoundByTheirSquareRoots) {
  FeatureExtractor extractor(model, context, {.batch = kBatch, .flip = true, .scales = {1, 1.3, 0.8}});
  std::vector<Tensor> inputs;
  for (const Tensor& start : {input, mirrored(input)}) {
    inputs.push_back(start);
    inputs.push_back(rescaled(start, std::sqrt(1.3)));
    inputs.push_back(rescaled(inputs.back(), std::sqrt(0.8)));
  }
  EXPECT_LE(relative_error(extractor.run(input), summed(inputs)), sum_tolerance(Precision::Fp32, 6, 1));
}

TEST_F(FeatureExtractorTest, RowsHaveUnitLength) {
  FeatureExtractor extractor(model, context, {.batch = kBatch});
  const Tensor& rows = extractor.run(input);
  for (size_t row = 0; row < kBatch; ++row) {
    double square = 0;
    for (float v : rows.as<float>().subspan(row * 64, 64)) square += double{v} * v;
    EXPECT_NEAR(square, 1, sum_tolerance(Precision::Fp32, 64, 1));
  }
}

TEST_F(FeatureExtractorTest, ExtractPreprocessesAndRuns) {
  FeatureExtractor extractor(model, context, {.batch = kBatch});
  const std::vector<Image> images = {picture(1), picture(2, 31, 77)};
  Preprocessor preprocessor(preprocessing_from_json(model.image_input().preprocessing));
  Tensor both(DType::F32, kInput);
  const size_t pixels = both.as<float>().size() / kBatch;
  for (size_t i = 0; i < kBatch; ++i)
    preprocessor.run(images[i], both.as<float>().subspan(i * pixels, pixels));
  const Tensor by_hand = extractor.run(both).clone();
  EXPECT_TRUE(same_bits(extractor.extract(images), by_hand));
}

TEST_F(FeatureExtractorTest, GivesAnImageTheSameBitsWhateverStandsBesideIt) {
  FeatureExtractor extractor(model, context, {.batch = 3});
  const std::vector<Image> images = {picture(1), picture(2), picture(3),
                                     picture(4)};  // the last batch is padded
  const Tensor together = extractor.extract(images);
  for (size_t i = 0; i < images.size(); ++i) {
    const Tensor alone = extractor.extract({&images[i], 1});
    EXPECT_TRUE(std::ranges::equal(alone.as<float>(), together.as<float>().subspan(i * 64, 64))) << i;
  }
  EXPECT_EQ(extractor.extract({}).shape(), (Shape{0, 64}));
}

// AGW's are tested without the mirror image.
TEST_F(FeatureExtractorTest, ARowHoldsEachVectorOfTheNetworkAtUnitLength) {
  const Model agw(write_small_agw(folder / "agw"));
  FeatureExtractor extractor(agw, context, {.batch = kBatch});
  EXPECT_EQ(extractor.matrices(),
            (std::vector<FeatureMatrix>{{"fc", kSmallAgwWidth}, {"pool", kSmallAgwWidth}}));
  EXPECT_EQ(extractor.dimensions(), 2 * kSmallAgwWidth);
  EXPECT_FALSE(extractor.flips());
  Plan plan(agw, context, {{"input", kInput}});
  const auto outputs = plan.run(input);
  const std::span<const float> rows = extractor.run(input).as<float>();
  for (size_t matrix = 0; matrix < 2; ++matrix) {
    const std::span<const float> raw = outputs.at(extractor.matrices()[matrix].name).as<float>();
    for (size_t row = 0; row < kBatch; ++row) {
      const auto vector = raw.subspan(row * kSmallAgwWidth, kSmallAgwWidth);
      double square = 0;
      for (const float v : vector) square += double{v} * v;
      for (size_t i = 0; i < vector.size(); ++i)
        ASSERT_NEAR(rows[(row * 2 + matrix) * kSmallAgwWidth + i], vector[i] / std::sqrt(square),
                    sum_tolerance(Precision::Fp32, kSmallAgwWidth, 1));
    }
  }
}

TEST_F(FeatureExtractorTest, TheOptionModalityChangesEveryFeature) {
  const Model agw(write_small_agw(folder / "agw"));
  FeatureExtractor visible(agw, context, {.batch = kBatch}),
      thermal(agw, context, {.batch = kBatch, .set = {{"modality", "thermal"}}});
  const Tensor a = visible.run(input).clone(), b = thermal.run(input).clone();
  for (size_t i = 0; i < a.as<float>().size(); ++i) EXPECT_NE(a.as<float>()[i], b.as<float>()[i]) << i;
  expect_error(
      [&] {
        FeatureExtractor(agw, context, {.set = {{"modality", "sonar"}}});
      },
      ErrorKind::Usage, {"modality=sonar", "visible, thermal"});
}

TEST_F(FeatureExtractorTest, RefusesAnInputOfAnotherShape) {
  FeatureExtractor extractor(model, context, {.batch = kBatch});
  for (const Shape& shape : {Shape{1, 3, 64, 32}, Shape{4, 3, 64, 32}, Shape{2, 3, 128, 64}, Shape{2, 3, 64}})
    expect_error([&] { extractor.run(noise(shape, 1)); }, ErrorKind::Shape, {shape.str(), "[2, 3, 64, 32]"});
  expect_error([&] { extractor.run(Tensor::zeros(DType::U8, kInput)); }, ErrorKind::Shape, {"U8"});
}

TEST_F(FeatureExtractorTest, RefusesImpossibleOptions) {
  const auto refused = [&](const ExtractOptions& options, const std::string& word) {
    expect_error([&] { FeatureExtractor(model, context, options); }, ErrorKind::Usage, {word});
  };
  refused({.batch = 0}, "batch of 0");
  refused({.scales = {}}, "no scale");
  for (double scale : {0.0, -1.0, 1e9, std::nan("")}) refused({.scales = {1, scale}}, "scale");
  refused({.scales = {0.02, 0.02, 0.02}}, "scale");  // compounded, nothing is left of the image
}

TEST_F(FeatureExtractorTest, RefusesAnImageThatIsNone) {
  FeatureExtractor extractor(model, context, {.batch = kBatch});
  Image broken = picture(1);
  broken.rgb.pop_back();
  expect_error([&] { extractor.extract({&broken, 1}); }, ErrorKind::Shape, {"40 x 50"});
}

TEST_F(FeatureExtractorTest, ImagesOfManySizesComeBackInTheirOrder) {
  const Model sized(write_small_resnet(folder / "sized", small_resnet_info_of_many_sizes()));
  FeatureExtractor extractor(sized, context, {.batch = 2}), single(sized, context, {.batch = 1});
  std::vector<Image> images;
  for (const auto& [width, height] :
       {std::pair{40, 50}, {50, 40}, {40, 50}, {9, 200}, {80, 100}, {50, 40}, {41, 50}})
    images.push_back(picture(static_cast<uint32_t>(images.size() + 1), width, height));
  const Tensor got = extractor.extract(images), alone = single.extract(images);
  EXPECT_LE(relative_error(got, alone),
            sum_tolerance(Precision::Fp32, kSmallResnetTerms, kSmallResnetLayers));
  const size_t width = static_cast<size_t>(extractor.dimensions());
  for (const size_t i : {size_t{3}, size_t{4}, size_t{6}})  // those without a partner
    EXPECT_TRUE(std::ranges::equal(got.as<float>().subspan(i * width, width),
                                   alone.as<float>().subspan(i * width, width)));
  EXPECT_EQ(extractor.planning().plans, 5u);  // 40 x 50 together and alone, 50 x 40, and two sizes more
}

TEST_F(FeatureExtractorTest, ABatchOfManySizesIsRefused) {
  const Model sized(write_small_resnet(folder / "sized", small_resnet_info_of_many_sizes()));
  FeatureExtractor extractor(sized, context, {.batch = 3});
  const std::vector<Image> images = {picture(1, 40, 50), picture(2, 40, 50), picture(3, 50, 40)};
  expect_error([&] { extractor.submit(images); }, ErrorKind::Shape, {"of other sizes in one batch"});
  expect_error([&] { extractor.submit(std::span(images).first(2)); }, ErrorKind::Shape,
               {"a batch is of 3 or of one"});
}

}  // namespace
}  // namespace tyto
