#include "tyto/detector.h"

#include <gtest/gtest.h>

#include "support/compare.h"
#include "support/errors.h"
#include "support/small_resnet.h"
#include "support/small_ssd.h"
#include "support/temporary_folder.h"

namespace tyto {
namespace {

class DetectorTest : public testing::Test {
 protected:
  const TemporaryFolder folder;
  const Model model{write_small_ssd(folder / "m")};
  Context context{{.device = "cpu", .threads = 1}};
};

TEST_F(DetectorTest, MapsTheRowsOfTheNetworkToTheImage) {
  const std::vector<Image> images = {picture(1, 640, 480), picture(2, 31, 77), picture(3, 1, 1)};
  Detector detector(model, context, {.batch = 2});
  const auto found = detector.detect(images);
  ASSERT_EQ(found.size(), images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    const Image& image = images[i];
    Tensor input = Tensor::zeros(DType::F32, {2, 3, 300, 300});
    Preprocessor preprocessor(preprocessing_from_json(model.image_input().preprocessing));
    preprocessor.run(image, input.as<float>().first(3 * 300 * 300));
    Plan plan(model, context, {{"input", input.shape()}});
    const auto rows = plan.run(input).at("detections").as<float>();
    ASSERT_FALSE(found[i].empty()) << "the case shows nothing";
    for (size_t d = 0; d < found[i].size(); ++d) {
      const float* row = &rows[d * 6];
      const Detection& got = found[i][d];
      EXPECT_EQ(got.label, row[5]);
      EXPECT_EQ(got.score, row[4]);
      const float scale_x = image.width / 300.0f, scale_y = image.height / 300.0f;
      EXPECT_NEAR(got.x, row[0] * scale_x, 1e-4 * image.width);
      EXPECT_NEAR(got.y, row[1] * scale_y, 1e-4 * image.height);
      EXPECT_NEAR(got.x + got.width, row[2] * scale_x, 1e-4 * image.width);
      EXPECT_NEAR(got.y + got.height, row[3] * scale_y, 1e-4 * image.height);
      if (d > 0) {
        EXPECT_GE(found[i][d - 1].score, got.score);
      }
    }
    EXPECT_EQ(rows[found[i].size() * 6 + 5], -1);
  }
}

TEST_F(DetectorTest, AnImageIsTheSameBesideAnyOtherAndOnAnyNumberOfThreads) {
  const Image a = picture(1, 64, 48), b = picture(2, 50, 90);
  Context two({.device = "cpu", .threads = 2});
  const auto alone = Detector(model, context, {.batch = 3}).detect(std::vector{a});
  for (Context* c : {&context, &two}) {
    Detector detector(model, *c, {.batch = 3});
    EXPECT_EQ(detector.detect(std::vector{b, b, a})[2], alone[0]);
    EXPECT_EQ(detector.detect(std::vector{a, b})[0], alone[0]);
  }
}

// A wide image in a letterbox: the network sees it between two bars, and boxes come back without them.
TEST_F(DetectorTest, UndoesALetterbox) {
  ModelInfo info = small_ssd_info();
  Preprocessing rule = preprocessing_from_json(info.inputs[0].preprocessing);
  rule.fit = Fit::Letterbox;
  info.inputs = {image_input(rule)};
  const Model boxed(write_small_ssd(folder / "letterbox", info));
  const Image wide = picture(4, 200, 100);  // 300 x 150, 75 rows below the top
  Tensor input(DType::F32, {1, 3, 300, 300});
  Preprocessor(rule).run(wide, input.as<float>());
  Plan plan(boxed, context, {{"input", input.shape()}});
  const auto rows = plan.run(input).at("detections").as<float>();
  const auto found = Detector(boxed, context, {.batch = 1}).detect(std::vector{wide})[0];
  ASSERT_FALSE(found.empty());
  for (size_t d = 0; d < found.size(); ++d) {
    EXPECT_NEAR(found[d].x, rows[d * 6] / 1.5f, 1e-3);
    EXPECT_NEAR(found[d].y, (rows[d * 6 + 1] - 75) / 1.5f, 1e-3);
    EXPECT_NEAR(found[d].height, (rows[d * 6 + 3] - rows[d * 6 + 1]) / 1.5f, 1e-3);
  }
}

TEST_F(DetectorTest, TakesOptionsInPlaceOfTheModels) {
  const std::vector<Image> images = {picture(1, 64, 48)};
  const auto all = Detector(model, context).detect(images)[0];
  const float middle = all[all.size() / 2].score;
  const auto best =
      Detector(model, context, {.set = {{"score_threshold", std::to_string(middle)}}}).detect(images)[0];
  ASSERT_LT(best.size(), all.size());
  for (const Detection& d : best) EXPECT_GT(d.score, middle - 1e-6f);
  EXPECT_EQ(Detector(model, context, {.set = {{"max_detections", "3"}}}).detect(images)[0],
            std::vector(all.begin(), all.begin() + 3));
  expect_error(
      [&] {
        Detector(model, context, {.set = {{"threshold", "0.5"}}});
      },
      ErrorKind::Usage, {"ssd300", "threshold", "score_threshold"});
  expect_error(
      [&] {
        Detector(model, context, {.set = {{"score_threshold", "x"}}});
      },
      ErrorKind::Usage, {"score_threshold=x"});
}

TEST_F(DetectorTest, NamesClassesByTheModelFile) {
  const Detector detector(model, context);
  EXPECT_EQ(detector.classes(), 21);
  EXPECT_EQ(detector.name(1), "aeroplane");
  EXPECT_EQ(detector.name(20), "class 20");
}

TEST_F(DetectorTest, RefusesWhatItCannotDo) {
  expect_error([&] { Detector(model, context, {.batch = 0}); }, ErrorKind::Usage, {"batch of 0"});
  const Model classifier(write_small_resnet(folder / "classifier"));
  expect_error([&] { Detector(classifier, context); }, ErrorKind::Unsupported,
               {"classifier", "resnet", "no output 'detections'"});
  Detector detector(model, context, {.batch = 1});
  const Tensor input = noise({1, 3, 300, 300}, 1);
  expect_error([&] { detector.run(input, std::vector<Geometry>(2)); }, ErrorKind::Shape,
               {"2 images", "batch of 1"});
  expect_error(
      [&] {
        detector.run(noise({1, 3, 10, 10}, 1), std::vector<Geometry>(1));
      },
      ErrorKind::Shape, {"[1, 3, 300, 300]"});
}

}  // namespace
}  // namespace tyto
