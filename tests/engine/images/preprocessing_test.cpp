#include "engine/images/preprocessing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "engine/images/image_fit.h"
#include "tyto/error.h"

namespace tyto {
namespace {

using testing::HasSubstr;

Image uniform(int width, int height, uint8_t value) {
  return {width, height, std::vector<uint8_t>(size_t(3) * width * height, value)};
}

const Preprocessing kImageNet = {.height = 256,
                                 .width = 128,
                                 .resampling = Resampling::PilBicubic,
                                 .mean = {0.485f, 0.456f, 0.406f},
                                 .std = {0.229f, 0.224f, 0.225f}};

TEST(PreprocessingRule, IsReadableJson) {
  EXPECT_EQ(to_json(kImageNet),
            R"({"size":[256,128],"resize":"pil-bicubic","fit":"stretch","channels":"RGB","scale":"1/255",)"
            R"("mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]})");
}

TEST(PreprocessingRule, ComesBackFromItsJson) {
  Preprocessing letterbox = kImageNet;
  letterbox.fit = Fit::Letterbox;
  letterbox.fill = 114;
  letterbox.channels = ChannelOrder::BGR;
  letterbox.resampling = Resampling::CvBilinear;
  letterbox.scale = 0.007843f;
  Preprocessing crop = kImageNet;
  crop.fit = Fit::CenterCrop;
  crop.shorter_side = 300;
  Preprocessing bottom = kImageNet;
  bottom.fit = Fit::BottomCrop;
  bottom.bottom = 0.21;
  Preprocessing shorter = kImageNet, at_most = kImageNet, longest = kImageNet;
  for (Preprocessing* rule : {&shorter, &at_most, &longest})
    rule->height = rule->width = 224;  // means nothing
  shorter.fit = at_most.fit = Fit::ShorterSide;
  longest.fit = Fit::LongestSide;
  at_most.longest_side = longest.longest_side = 1333;
  Preprocessing within = longest, padded = longest;
  within.fit = padded.fit = Fit::Within;
  within.shorter_side = padded.shorter_side = 800;
  within.resampling = Resampling::SkimageBilinear;
  padded.resampling = Resampling::TorchBilinear;
  padded.multiple_of = 32;
  for (const Preprocessing& rule :
       {kImageNet, letterbox, crop, bottom, shorter, at_most, longest, within, padded})
    EXPECT_EQ(preprocessing_from_json(to_json(rule)), rule);
}

// The message for a rule's JSON with one key replaced, or removed where the value is null.
std::string complaint(const Preprocessing& rule, const char* key, const nlohmann::json& value) {
  nlohmann::json object = nlohmann::json::parse(to_json(rule));
  object[key] = value;
  if (value.is_null()) object.erase(key);
  try {
    preprocessing_from_json(object.dump());
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Format);
    return error.what();
  }
  return "no error";
}

TEST(PreprocessingRule, NamesTheKeyThatIsWrong) {
  const auto complaint = [](const char* key, const nlohmann::json& value) {
    return tyto::complaint(kImageNet, key, value);
  };
  EXPECT_THAT(complaint("resize", "nearest"),
              HasSubstr("has the \"resize\" 'nearest'; use pil-bilinear, pil-bicubic"));
  EXPECT_THAT(complaint("rotate", 90), HasSubstr("a \"rotate\", which is not a key"));
  EXPECT_THAT(complaint("fill", 3), HasSubstr("a \"fill\", which is not a key"));  // not with stretch
  EXPECT_THAT(complaint("fit", "letterbox"), HasSubstr("no \"fill\""));
  EXPECT_THAT(complaint("fit", "bottom-crop"), HasSubstr("no \"bottom\""));
  const Preprocessing bottom = {.fit = Fit::BottomCrop};
  EXPECT_THAT(tyto::complaint(bottom, "bottom", 1), HasSubstr("\"bottom\" is 1; it goes from 0 to below 1"));
  EXPECT_THAT(tyto::complaint(bottom, "bottom", -0.1), HasSubstr("\"bottom\" is -0.1"));
  EXPECT_THAT(complaint("std", nullptr), HasSubstr("no \"std\""));
  EXPECT_THAT(complaint("std", {1, 0, 1}), HasSubstr("\"std\""));
  EXPECT_THAT(complaint("mean", {1, 1}), HasSubstr("a \"mean\" that is not a list of 3 numbers"));
  EXPECT_THAT(complaint("mean", {1, 1e300, 1}), HasSubstr("must be finite"));
  EXPECT_THAT(complaint("size", {256, 128.5}), HasSubstr("\"size\""));
  EXPECT_THAT(complaint("size", {256, 100000000000}), HasSubstr("\"size\""));
  EXPECT_THAT(complaint("size", 224), HasSubstr("\"size\""));
  EXPECT_THAT(complaint("scale", "1/256"), HasSubstr("\"scale\""));
  EXPECT_THROW(preprocessing_from_json("[1]"), Error);
  EXPECT_THROW(preprocessing_from_json("{"), Error);
}

TEST(PreprocessingRule, OfVaryingSizesNamesSidesAndNoSize) {
  const Preprocessing rule = {.fit = Fit::ShorterSide, .shorter_side = 600, .longest_side = 1000};
  const auto json = nlohmann::json::parse(to_json(rule));
  EXPECT_EQ(json["fit"], "shorter-side");
  EXPECT_EQ(json["shorter_side"], 600);
  EXPECT_EQ(json["longest_side"], 1000);
  EXPECT_FALSE(json.contains("size"));
  EXPECT_EQ(summary(rule), "pil-bilinear, shorter-side to 600, at most 1000");
  EXPECT_EQ(summary({.fit = Fit::LongestSide, .longest_side = 9}), "pil-bilinear, longest-side to 9");

  EXPECT_THAT(complaint(rule, "size", {600, 800}), HasSubstr("a \"size\", which is not a key"));
  EXPECT_THAT(complaint(rule, "longest_side", 600),
              HasSubstr("\"longest_side\" is 600, which must be more than"));
  EXPECT_THAT(complaint(rule, "longest_side", 0), HasSubstr("a whole number from 1 to 16384"));
  EXPECT_THAT(complaint(rule, "shorter_side", 16385), HasSubstr("\"shorter_side\" is 16385"));
}

TEST(ImageFit, IsAsLargeAsTheResizedImageWhereTheRuleSaysSo) {
  struct Case {
    Preprocessing rule;
    int width, height;  // of the image
    int input_width, input_height;
  };
  const Preprocessing any = {.fit = Fit::ShorterSide, .shorter_side = 600},
                      at_most = {.fit = Fit::ShorterSide, .shorter_side = 600, .longest_side = 1000},
                      longest = {.fit = Fit::LongestSide, .longest_side = 1333};
  const Case cases[] = {
      {any, 640, 480, 800, 600},       {any, 480, 640, 600, 800},
      {any, 333, 333, 600, 600},       {any, 500, 333, 900, 600},  // 900.9
      {at_most, 640, 480, 800, 600},   {at_most, 500, 333, 900, 600},
      {at_most, 1280, 700, 1000, 546},  // 1097 x 600 first; 1000 * 600 / 1097 is 546.9
      {at_most, 700, 1280, 546, 1000}, {at_most, 100000, 1, 1000, 1},
      {longest, 640, 480, 1333, 999},  {longest, 480, 640, 999, 1333},
      {longest, 50, 50, 1333, 1333},   {longest, 1, 100000, 1, 1333},
  };
  for (const Case& c : cases) {
    const ImageFit fit = fit_image(c.rule, c.width, c.height);
    EXPECT_EQ(fit.width, c.input_width) << c.width << " x " << c.height;
    EXPECT_EQ(fit.height, c.input_height) << c.width << " x " << c.height;
    EXPECT_TRUE(fit.covers());
    EXPECT_EQ(fit.geometry(), (Geometry{double(fit.width) / c.width, double(fit.height) / c.height, 0, 0,
                                        c.width, c.height, fit.width, fit.height}));
  }
}

TEST(PreprocessingRule, OfDetectorsNamesBothSidesAndThePadding) {
  const Preprocessing rule = {.resampling = Resampling::TorchBilinear,
                              .fit = Fit::Within,
                              .shorter_side = 800,
                              .longest_side = 1333,
                              .multiple_of = 32};
  const auto json = nlohmann::json::parse(to_json(rule));
  EXPECT_EQ(json["fit"], "within");
  EXPECT_EQ(json["multiple_of"], 32);
  EXPECT_FALSE(json.contains("size"));
  EXPECT_EQ(summary(rule), "torch-bilinear, within to 800, at most 1333, padded to multiples of 32");
  EXPECT_EQ(complaint(rule, "longest_side", nullptr), "the preprocessing rule has no \"longest_side\"");
  EXPECT_THAT(complaint(rule, "multiple_of", 0), HasSubstr("a whole number from 1 to 16384"));
  EXPECT_THAT(complaint(rule, "resize", "pil-bilinear"),
              HasSubstr("\"multiple_of\" is for a \"resize\" of floats, which pil-bilinear is not"));
  EXPECT_THAT(complaint(kImageNet, "multiple_of", 32), HasSubstr("a \"multiple_of\", which is not a key"));
}

// Sizes that torchvision 0.14's GeneralizedRCNNTransform and scikit-image 0.19 give; preprocessing_test.py
// compares many more.
TEST(ImageFit, WithinBothSidesRoundsAsTheResamplingsSourceDoes) {
  const Preprocessing torch = {.resampling = Resampling::TorchBilinear,
                               .fit = Fit::Within,
                               .shorter_side = 800,
                               .longest_side = 1333,
                               .multiple_of = 32};
  Preprocessing skimage = {.resampling = Resampling::SkimageBilinear,
                           .fit = Fit::Within,
                           .shorter_side = 600,
                           .longest_side = 1000};
  const ImageFit padded = fit_image(torch, 640, 481);
  EXPECT_EQ(padded.resize.out_height, 800);
  EXPECT_EQ(padded.height, 800);
  EXPECT_EQ(padded.resize.out_width, 1064);
  EXPECT_EQ(padded.width, 1088);
  EXPECT_EQ(padded.geometry(), (Geometry{1064 / 640.0, 800 / 481.0, 0, 0, 640, 481, 1064, 800}));
  const ImageFit one_scale = fit_image(skimage, 500, 333);
  EXPECT_EQ(one_scale.width, 901);  // 900.9
  EXPECT_EQ(one_scale.height, 600);
  EXPECT_EQ(one_scale.geometry(), (Geometry{901 / 500.0, 901 / 500.0, 0, 0, 500, 333, 901, 600}));
  skimage.resampling = Resampling::PilBilinear;
  EXPECT_EQ(fit_image(skimage, 500, 333).geometry().scale_y, 600 / 333.0);
  EXPECT_EQ(fit_image(skimage, 100000, 1).height, 1);
  EXPECT_EQ(nominal_size(skimage), (NetworkSize{600, 800}));
  EXPECT_EQ(nominal_size(torch), (NetworkSize{800, 1088}));
}

TEST(Preprocessor, PadsWithZerosAfterNormalisation) {
  for (const Resampling resampling : {Resampling::TorchBilinear, Resampling::SkimageBilinear}) {
    Preprocessor preprocessor({.resampling = resampling,
                               .fit = Fit::Within,
                               .shorter_side = 5,
                               .longest_side = 7,
                               .multiple_of = 4,
                               .scale = 1,
                               .mean = {1, 2, 3}});
    std::vector<float> input(3 * 8 * 8, -1);
    preprocessor.run(uniform(7, 5, 9), input);
    for (int i = 0; i < 3 * 8 * 8; ++i) {
      const int plane = i / 64, y = i / 8 % 8, x = i % 8;
      ASSERT_EQ(input[static_cast<size_t>(i)], y < 5 && x < 7 ? 8.0f - static_cast<float>(plane) : 0.0f) << i;
    }
  }
}

TEST(ImageFit, NamesAnImageWhoseInputWouldBeTooLarge) {
  const Preprocessing rule = {.fit = Fit::ShorterSide, .shorter_side = 600};
  EXPECT_EQ(fit_image(rule, 163, 6).width, 16300);
  try {
    fit_image(rule, 164, 6);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Shape);
    EXPECT_THAT(error.what(), HasSubstr("an image of 164 x 6 pixels would be an input of 16400 x 600"));
  }
}

TEST(ImageFit, NominalSizeIsTheRulesOrThatOfAPhotograph) {
  EXPECT_EQ(nominal_size(kImageNet), (NetworkSize{256, 128}));
  EXPECT_EQ(nominal_size({.fit = Fit::ShorterSide, .shorter_side = 600, .longest_side = 1000}),
            (NetworkSize{600, 800}));
  EXPECT_EQ(nominal_size({.fit = Fit::LongestSide, .longest_side = 1333}), (NetworkSize{999, 1333}));
  EXPECT_EQ(nominal_size({.fit = Fit::ShorterSide, .shorter_side = kLargestSide}),
            (NetworkSize{kLargestSide, kLargestSide}));
}

TEST(Preprocessor, TakesImagesOfOtherSizesOneAfterTheOther) {
  Preprocessor preprocessor({.fit = Fit::ShorterSide, .shorter_side = 4, .scale = 1});
  for (const auto& [width, height] : {std::pair{16, 8}, {8, 16}, {3, 3}, {16, 8}}) {
    const ImageFit fit = fit_image(preprocessor.rule(), width, height);
    std::vector<float> input(static_cast<size_t>(fit.values()));
    preprocessor.run(uniform(width, height, 9), input);
    for (const float v : input) ASSERT_EQ(v, 9);
    EXPECT_THROW(preprocessor.run(uniform(width, height, 9), std::span(input).first(3)), Error);
  }
}

TEST(Preprocessor, LetterboxCentresTheImageOnTheFill) {
  Preprocessor preprocessor({.height = 8, .width = 8, .fit = Fit::Letterbox, .fill = 7, .scale = 1});
  std::vector<float> input(3 * 8 * 8);
  const Geometry geometry =
      preprocessor.run(uniform(16, 9, 200), input);  // 8 x 4.5, rounded half to even: 8 x 4
  EXPECT_EQ(geometry, (Geometry{0.5, 4.0 / 9, 0, 2, 16, 9, 8, 4}));
  for (int i = 0; i < 3 * 8 * 8; ++i) {
    const int y = i / 8 % 8;
    ASSERT_EQ(input[i], y >= 2 && y < 6 ? 200 : 7) << i;
  }
}

TEST(Preprocessor, LetterboxKeepsAtLeastOnePixel) {
  Preprocessor preprocessor({.height = 8, .width = 8, .fit = Fit::Letterbox, .scale = 1});
  std::vector<float> input(3 * 8 * 8);
  const Geometry geometry = preprocessor.run(uniform(20000, 1, 50), input);
  EXPECT_EQ(geometry.offset_y, 3);
  EXPECT_EQ(input[3 * 8], 50);
  EXPECT_EQ(input[4 * 8], 0);
}

TEST(Preprocessor, GeometryMapsCroppedPixels) {
  Preprocessor preprocessor({.height = 4, .width = 4, .fit = Fit::CenterCrop, .shorter_side = 8, .scale = 1});
  Image image = uniform(32, 16, 0);  // resampled to 16 x 8, cropped from (6, 2) on
  for (int y = 8; y < 16; ++y)
    for (int x = 16; x < 32; ++x) image.rgb[(y * 32 + x) * 3] = 255;
  std::vector<float> input(3 * 4 * 4);
  EXPECT_EQ(preprocessor.run(image, input), (Geometry{0.5, 0.5, -6, -2, 32, 16, 16, 8}));
  EXPECT_GT(input[2 * 4 + 2], 127);  // original corner (16, 8) is at network (2, 2)
  EXPECT_LT(input[1 * 4 + 1], 128);
}

// Of Lift-Splat-Shoot's inputs, by the arithmetic of its get_data(): scale, sides, then the crop's corner.
TEST(ImageFit, BottomCropIsLiftSplatShoots) {
  const Preprocessing rule = {.height = 128, .width = 352, .fit = Fit::BottomCrop};
  struct Case {
    int width, height;  // of the image
    double scale;       // of both axes, though the sides are rounded down
    int resized_width, resized_height;
    int x, y;                      // of the crop
    int top, left, rows, columns;  // of the window, on the input
  };
  const Case cases[] = {
      {1600, 900, 352 / 1600.0, 352, 198, 0, 48, 0, 0, 128, 352},
      {1601, 903, 352 / 1601.0, 352, 198, 0, 48, 0, 0, 128, 352},
      {1600, 400, 128 / 400.0, 512, 128, 80, -15, 15, 0, 113, 352},  // int(0.89 * 128) = 113
      {800, 450, 352 / 800.0, 352, 198, 0, 48, 0, 0, 128, 352},
      {352, 1, 128, 45056, 128, 22352, -15, 15, 0, 113, 352},
  };
  for (const Case& c : cases) {
    const ImageFit fit = fit_image(rule, c.width, c.height);
    EXPECT_EQ(fit.geometry(), (Geometry{c.scale, c.scale, double(-c.x), double(-c.y), c.width, c.height,
                                        c.resized_width, c.resized_height}))
        << c.width << " x " << c.height;
    EXPECT_EQ(fit.top, c.top);
    EXPECT_EQ(fit.left, c.left);
    EXPECT_EQ(fit.resize.window_height, c.rows);
    EXPECT_EQ(fit.resize.window_width, c.columns);
    EXPECT_EQ(*fit.background, 0);
  }
}

TEST(ImageFit, BottomCropTakesAPixelAtLeast) {
  const ImageFit fit = fit_image({.height = 1, .width = 1, .fit = Fit::BottomCrop, .bottom = 0.99}, 9, 9);
  EXPECT_EQ(fit.resize.window_height, 1);
  EXPECT_EQ(fit.top, 0);
}

TEST(Preprocessor, CropOfAnExtremePanoramaCostsLittle) {
  Preprocessor preprocessor({.height = 224, .width = 224, .fit = Fit::CenterCrop, .shorter_side = 256});
  std::vector<float> input(3 * 224 * 224);
  preprocessor.run(uniform(1 << 20, 1, 255), input);  // whole, it would be 268 million pixels wide
  for (const float v : input) ASSERT_EQ(v, 1);
}

TEST(Preprocessor, RefusesAnEmptyOrInconsistentImage) {
  Preprocessor preprocessor({.height = 8, .width = 8});
  std::vector<float> input(3 * 8 * 8);
  for (const Image& image :
       {Image{}, Image{2, 2, std::vector<uint8_t>(11)}, Image{-1, -1, std::vector<uint8_t>(3)}}) {
    try {
      preprocessor.run(image, input);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Shape);
    }
  }
  std::vector<float> small(10);
  EXPECT_THROW(preprocessor.run(uniform(2, 2, 0), small), Error);
}

}  // namespace
}  // namespace tyto
