#include "tyto/bev_segmenter.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/images/pose.h"
#include "engine/images/preprocessing.h"
#include "engine/runtime/backend.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/same_bits.h"
#include "support/small_lift_splat_shoot.h"
#include "support/small_resnet.h"
#include "support/temporary_folder.h"

namespace tyto {
namespace {

// Of the small network's grid: looks forward, turned by so many quarters of a right angle to the left.
Camera camera_at(double turned, const Matrix3& augmentation = kIdentity3) {
  const double angle = turned * 3.14159265358979 / 8;
  const Matrix4 forward = {0, 0, 1, 0.5, -1, 0, 0, 0.25, 0, -1, 0, 1.5, 0, 0, 0, 1};
  Camera camera;
  camera.intrinsics = {40.3, 0, 31.7, 0, 39.9, 15.2, 0, 0, 1};
  camera.camera_to_ego = multiply(pose_of({std::cos(angle), 0, 0, std::sin(angle)}, {0.1, 0, 0}), forward);
  camera.augmentation = augmentation;
  return camera;
}

Rig rig_at(double turned) { return {{camera_at(turned), camera_at(turned + 3)}}; }

std::vector<Image> pictures(uint32_t seed, size_t count) {
  std::vector<Image> images;
  for (size_t i = 0; i < count; ++i) images.push_back(picture(seed + static_cast<uint32_t>(i), 70, 50));
  return images;
}

std::filesystem::path write_rig_echo(const std::filesystem::path& path) {
  const auto source = invent({{"unused", {1}}});
  const Network& network = find_network("rig_echo");
  ModelInfo info;
  info.network = network.name;
  info.task = Task::Bev;
  info.options = {{"cameras", "2"}};
  info.inputs = network.inputs(Weights(source), Options(network, {}));
  info.outputs = {{"map", DType::F32, {}}};
  info.grid = BevGridInfo{.step = {1, 1, 1}, .cells = {1, 1, 1}, .lidar_frame = true};
  info.source_sha256 = std::string(64, '0');
  write_model(path, info, *source, source->names());
  return path;
}

class BevSegmenterTest : public testing::Test {
 protected:
  std::vector<float> map_of(BevSegmenter& segmenter, std::span<const Image> images,
                            std::span<const Rig> rigs) {
    segmenter.submit(images, rigs);
    const std::span<const float> map = segmenter.collect().at("map").as<float>();
    return {map.begin(), map.end()};
  }

  const TemporaryFolder folder;
  const Model model{write_small_lift_splat_shoot(folder / "m")};
  Context context{{.device = "cpu", .threads = 1}};
};

TEST_F(BevSegmenterTest, SaysWhatTheNetworkTakesAndWhereItsMapLies) {
  const BevSegmenter segmenter(model, context, {});
  EXPECT_EQ(segmenter.cameras(), 2);
  EXPECT_EQ(segmenter.grid(), (BevGridInfo{{-8, -8, -1}, {2, 1, 2}, {8, 16, 2}}));
  EXPECT_EQ(BevSegmenter(model, context, {.set = {{"cameras", "5"}}}).cameras(), 5);
}

// The network that hands out its inputs: in double until they are rounded, by the image's own size, and in
// the lidar's frame where the grid is.
TEST_F(BevSegmenterTest, GivesTheNetworkCalibrationsAndImages) {
  const Model echo(write_rig_echo(folder / "echo"));
  BevSegmenter segmenter(echo, context, {.batch = 2});
  Rig rig = rig_at(1);
  rig.cameras[1].augmentation = {0.25, 0, -3.5, 0, 0.5, 7, 0, 0, 1};
  rig.lidar_to_ego = pose_of({0.7, -0.01, 0.02, -0.7}, {0.9, 0, 1.8});
  const std::vector<Image> images = {picture(1, 80, 60), picture(2, 16, 30)};
  const std::vector<float> map = map_of(segmenter, images, std::vector{rig});

  Preprocessor preprocessor(preprocessing_from_json(echo.info().inputs[3].preprocessing));
  std::vector<float> want[3], pixels;  // of the two cameras
  for (size_t i = 0; i < 2; ++i) {
    std::vector<float> input(3 * 8 * 16);
    const Geometry g = preprocessor.run(images[i], input);
    pixels.insert(pixels.end(), input.begin(), input.end());
    const Matrix3 fit = {g.scale_x, 0, g.offset_x, 0, g.scale_y, g.offset_y, 0, 0, 1};
    for (const double v : rig.cameras[i].intrinsics) want[0].push_back(static_cast<float>(v));
    for (const double v : multiply(inverse_pose(rig.lidar_to_ego), rig.cameras[i].camera_to_ego))
      want[1].push_back(static_cast<float>(v));
    for (const double v : multiply(fit, rig.cameras[i].augmentation))
      want[2].push_back(static_cast<float>(v));
  }
  want[0].insert(want[0].end(), want[1].begin(), want[1].end());
  want[0].insert(want[0].end(), want[2].begin(), want[2].end());
  want[0].insert(want[0].end(), pixels.begin(), pixels.end());
  ASSERT_EQ(map.size(), 2 * want[0].size());
  EXPECT_TRUE(std::equal(want[0].begin(), want[0].end(), map.begin()));
  // The row of no sample has that rig, too, and black images.
  EXPECT_TRUE(std::equal(map.begin(), map.begin() + 2 * 34, map.begin() + static_cast<int>(want[0].size())));
  EXPECT_EQ(map.back(), 0);
}

TEST_F(BevSegmenterTest, TakesImagesThatWerePreprocessed) {
  BevSegmenter segmenter(model, context, {});
  const std::vector<Image> images = pictures(1, 2);
  Preprocessor preprocessor(preprocessing_from_json(model.info().inputs[0].preprocessing));
  Tensor input(DType::F32, {2, 3, 32, 64});
  std::vector<Geometry> geometries;
  for (size_t i = 0; i < 2; ++i)
    geometries.push_back(
        preprocessor.run(images[i], input.as<float>().subspan(i * 3 * 32 * 64, 3 * 32 * 64)));
  const std::vector rigs = {rig_at(0)};
  segmenter.submit(input, geometries, rigs);
  const Tensor ours = segmenter.collect().at("map").clone();
  segmenter.submit(images, rigs);
  EXPECT_TRUE(same_bits(segmenter.collect().at("map"), ours));
  EXPECT_EQ(ours.shape(), (Shape{1, 1, 8, 16}));
}

TEST_F(BevSegmenterTest, ASampleIsTheSameBesideAnyOtherAndWhateverCameBefore) {
  const std::vector<Image> images = pictures(1, 2), others = pictures(7, 4);
  BevSegmenter first(model, context, {.batch = 3}), second(model, context, {.batch = 3});
  const std::vector<float> alone = map_of(first, images, std::vector{rig_at(0)});
  std::vector<Image> three = others;
  three.insert(three.end(), images.begin(), images.end());
  const std::vector<float> beside = map_of(second, three, std::vector{rig_at(2), rig_at(5), rig_at(0)});
  const size_t row = alone.size() / 3;
  EXPECT_TRUE(std::equal(alone.begin(), alone.begin() + static_cast<int>(row),
                         beside.begin() + static_cast<int>(2 * row)));
  // Another calibration makes another map, and the old one the old map again.
  EXPECT_NE(map_of(first, images, std::vector{rig_at(1)})[0], alone[0]);
  EXPECT_EQ(map_of(first, images, std::vector{rig_at(0)}), alone);
}

TEST_F(BevSegmenterTest, CountsTheCalibrationsThatItBuilt) {
  BevSegmenter segmenter(model, context, {.batch = 3});
  const auto counts = [&](std::initializer_list<double> turned) {
    std::vector<Rig> rigs;
    for (const double t : turned) rigs.push_back(rig_at(t));
    map_of(segmenter, pictures(1, 2 * rigs.size()), rigs);
    return std::pair(segmenter.calibrations().samples, segmenter.calibrations().built);
  };
  EXPECT_EQ(counts({0, 1, 2}), std::pair(int64_t{3}, int64_t{3}));
  EXPECT_EQ(counts({0, 1, 2}), std::pair(int64_t{6}, int64_t{3}));
  EXPECT_EQ(counts({0, 4, 2}), std::pair(int64_t{9}, int64_t{4}));
  EXPECT_EQ(counts({0}), std::pair(int64_t{10}, int64_t{4}));  // the others' rows stay
  EXPECT_EQ(counts({0, 4, 2}), std::pair(int64_t{13}, int64_t{4}));
}

TEST_F(BevSegmenterTest, HasSeveralBatchesOnTheirWay) {
  BevSegmenter segmenter(model, context, {});
  std::vector<std::vector<float>> want;
  for (int i = 0; i < segmenter.in_flight(); ++i)
    want.push_back(map_of(segmenter, pictures(static_cast<uint32_t>(i), 2), std::vector{rig_at(i)}));
  for (int i = 0; i < segmenter.in_flight(); ++i)
    segmenter.submit(pictures(static_cast<uint32_t>(i), 2), std::vector{rig_at(i)});
  expect_error([&] { segmenter.submit(pictures(0, 2), std::vector{rig_at(0)}); }, ErrorKind::Usage,
               {"collect one before the next"});
  for (const auto& map : want) {
    const std::span<const float> got = segmenter.collect().at("map").as<float>();
    EXPECT_TRUE(std::equal(got.begin(), got.end(), map.begin(), map.end()));
  }
}

TEST_F(BevSegmenterTest, RefusesWhatItCannotDo) {
  expect_error([&] { BevSegmenter(model, context, {.batch = 0}); }, ErrorKind::Usage, {"batch of 0"});
  const Model classifier(write_small_resnet(folder / "classifier"));
  expect_error([&] { BevSegmenter(classifier, context, {}); }, ErrorKind::Unsupported,
               {"classifier", "resnet", "sees nothing from above"});
  BevSegmenter segmenter(model, context, {});
  const Rig rig = rig_at(0);
  expect_error([&] { segmenter.submit(pictures(1, 3), std::vector{rig}); }, ErrorKind::Shape,
               {"3 images for 1 samples of 2"});
  expect_error(
      [&] {
        segmenter.submit(pictures(1, 4), std::vector{rig, rig});
      },
      ErrorKind::Shape, {"2 samples in a batch of 1"});
  expect_error([&] { segmenter.submit({}, {}); }, ErrorKind::Shape, {"0 samples"});
  expect_error([&] { segmenter.submit(pictures(1, 1), std::vector{Rig{{camera_at(0)}}}); }, ErrorKind::Shape,
               {"a rig of 1 cameras", "takes 2", "--set cameras=1"});
  expect_error(
      [&] {
        segmenter.submit(noise({2, 3, 32, 65}, 1), std::vector<Geometry>(2), std::vector{rig});
      },
      ErrorKind::Shape, {"'images'", "[2, 3, 32, 65]"});
  expect_error([&] { segmenter.submit(std::vector<Image>(2), std::vector{rig}); }, ErrorKind::Shape,
               {"an image of 0 x 0"});
  expect_error([&] { segmenter.collect(); }, ErrorKind::Usage, {"nothing was submitted"});
  EXPECT_EQ(segmenter.calibrations().samples, 0);
}

TEST(CheckRig, NamesTheCameraAndItsMatrix) {
  const auto complaint = [](const auto& spoil, const std::vector<std::string>& words) {
    Rig rig = rig_at(0);
    EXPECT_NO_THROW(check_rig(rig));
    spoil(rig);
    expect_error([&] { check_rig(rig); }, ErrorKind::Shape, words);
  };
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  complaint([](Rig& r) { r.cameras[1].intrinsics[0] = nan; }, {"camera 1", "intrinsics", "not finite"});
  complaint([](Rig& r) { r.cameras[0].intrinsics[0] = 0; }, {"camera 0", "intrinsics", "no inverse"});
  complaint([](Rig& r) { r.cameras[1].camera_to_ego[3] = nan; }, {"camera 1", "camera_to_ego", "not finite"});
  complaint([](Rig& r) { r.cameras[1].camera_to_ego[12] = 2; }, {"camera 1", "camera_to_ego", "2 0 0 1"});
  complaint([](Rig& r) { r.cameras[1].camera_to_ego[2] = r.cameras[1].camera_to_ego[6] = 0; },
            {"camera 1", "camera_to_ego", "no inverse"});
  complaint([](Rig& r) { r.cameras[1].augmentation[6] = 1; }, {"camera 1", "augmentation", "1 0 1"});
  complaint([](Rig& r) { r.cameras[1].augmentation[0] = 0; }, {"camera 1", "augmentation", "no inverse"});
  complaint([](Rig& r) { r.lidar_to_ego[15] = 0; }, {"lidar_to_ego", "0 0 0 0"});
}

}  // namespace
}  // namespace tyto
