#include "engine/images/preprocessing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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
  for (const Preprocessing& rule : {kImageNet, letterbox, crop})
    EXPECT_EQ(preprocessing_from_json(to_json(rule)), rule);
}

// The message for kImageNet's JSON with one key replaced, or removed where the value is null.
std::string complaint(const char* key, const nlohmann::json& value) {
  nlohmann::json object = nlohmann::json::parse(to_json(kImageNet));
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
  EXPECT_THAT(complaint("resize", "nearest"),
              HasSubstr("has the \"resize\" 'nearest'; use pil-bilinear, pil-bicubic"));
  EXPECT_THAT(complaint("rotate", 90), HasSubstr("a \"rotate\", which is not a key"));
  EXPECT_THAT(complaint("fill", 3), HasSubstr("a \"fill\", which is not a key"));  // not with stretch
  EXPECT_THAT(complaint("fit", "letterbox"), HasSubstr("no \"fill\""));
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

TEST(Preprocessor, LetterboxCentresTheImageOnTheFill) {
  Preprocessor preprocessor({.height = 8, .width = 8, .fit = Fit::Letterbox, .fill = 7, .scale = 1});
  std::vector<float> input(3 * 8 * 8);
  const Geometry geometry =
      preprocessor.run(uniform(16, 9, 200), input);  // 8 x 4.5, rounded half to even: 8 x 4
  EXPECT_EQ(geometry, (Geometry{0.5, 4.0 / 9, 0, 2}));
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
  EXPECT_EQ(preprocessor.run(image, input), (Geometry{0.5, 0.5, -6, -2}));
  EXPECT_GT(input[2 * 4 + 2], 127);  // original corner (16, 8) is at network (2, 2)
  EXPECT_LT(input[1 * 4 + 1], 128);
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
