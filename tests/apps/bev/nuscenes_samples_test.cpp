#include "apps/bev/nuscenes_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "apps/bev/nuscenes_splits.h"
#include "apps/bev/sample_texts.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace tyto::apps {
namespace {

class NuscenesSamples : public testing::Test {
 protected:
  NuscenesTree tree() const { return {folder_ / "", "v1.0-mini"}; }
  std::vector<Sample> read(const std::string& scenes = "",
                           const std::vector<std::string>& cameras = {"A", "B"}) {
    write_tables(folder_ / "v1.0-mini", tables_);
    skipped_.clear();
    return read_nuscenes(tree(), cameras, scenes, skipped_);
  }
  std::vector<std::string> ids(const std::string& scenes = "") {
    std::vector<std::string> ids;
    for (const Sample& sample : read(scenes)) ids.push_back(sample.id);
    return ids;
  }
  // With this text of a table in place of another.
  void refuses(const char* table, const std::string& from, const std::string& to,
               const std::vector<std::string>& words, ErrorKind kind = ErrorKind::Format) {
    tables_ = small_tables();
    const std::string before = tables_[table];
    replace(tables_[table], from, to);
    ASSERT_NE(tables_[table], before) << from;
    expect_error([&] { read(); }, kind, words);
  }

  TemporaryFolder folder_;
  std::map<std::string, std::string> tables_ = small_tables();
  SkippedInputs skipped_;
};

TEST_F(NuscenesSamples, ComeByScenesAndTime) {
  EXPECT_THAT(ids(), testing::ElementsAre("s0", "s1", "s2"));
  EXPECT_THAT(skipped_, testing::IsEmpty());
}

TEST_F(NuscenesSamples, HaveTheImagesAndCalibrationsOfTheirKeyFrames) {
  const std::vector<Sample> samples = read("", {"B", "A"});
  const Sample& s1 = samples[1];
  EXPECT_EQ(s1.sequence, "scene-0103");
  ASSERT_EQ(s1.cameras.size(), 2u);
  EXPECT_EQ(s1.cameras[0].name, "B");
  EXPECT_EQ(s1.cameras[1].image, folder_ / "samples/A/s1.jpg");
  EXPECT_EQ(s1.cameras[1].camera.intrinsics, (Matrix3{1000, 0, 800, 0, 1001, 450, 0, 0, 1}));
  // Looks ahead: the camera's z is the ego's x, its x the ego's -y.
  EXPECT_EQ(s1.cameras[1].camera.camera_to_ego,
            (Matrix4{0, 0, 1, 1, -1, 0, 0, 0, 0, -1, 0, 1.5, 0, 0, 0, 1}));
  EXPECT_EQ(s1.ego_pose[3], 11.5);  // the lidar's, not the camera's
  EXPECT_NEAR(s1.lidar_to_ego[1], 1, 1e-15);
  EXPECT_EQ(s1.lidar_to_ego[11], 1.8);
}

TEST_F(NuscenesSamples, AreOfTheScenesAskedFor) {
  EXPECT_THAT(ids("scene-0916"), testing::ElementsAre("s2"));
  EXPECT_THAT(ids("mini_val"), testing::ElementsAre("s0", "s1", "s2"));
  write_file(folder_ / "list.txt", "scene-0103 \r\n\n");
  EXPECT_THAT(ids((folder_ / "list.txt").string()), testing::ElementsAre("s0", "s1"));
  expect_error([&] { ids("scene-0103,scene-1"); }, ErrorKind::Usage, {"scene-1'", "scene.json"});
  expect_error([&] { ids("mini_train"); }, ErrorKind::Usage, {"mini_train", "--version"});
  expect_error([&] { ids(","); }, ErrorKind::Usage, {"names no scene"});
}

TEST_F(NuscenesSamples, WithoutOneOfTheirImagesAreLeftOut) {
  replace(tables_["sample_data"], R"("ps1B", "calibrated_sensor_token": "cB", "is_key_frame": true)",
          R"("ps1B", "calibrated_sensor_token": "cB", "is_key_frame": false)");
  EXPECT_THAT(ids(), testing::ElementsAre("s0", "s2"));
  EXPECT_THAT(skipped_, testing::ElementsAre(testing::AllOf(testing::HasSubstr("sample s1"),
                                                            testing::HasSubstr("key frame of B"))));
}

TEST_F(NuscenesSamples, NeedTheirTables) {
  for (const char* table : {"scene", "sample", "sensor", "calibrated_sensor", "sample_data", "ego_pose"}) {
    write_tables(folder_ / "v1.0-mini", small_tables());
    std::filesystem::remove(folder_ / "v1.0-mini" / (std::string(table) + ".json"));
    SkippedInputs skipped;
    expect_error([&] { read_nuscenes(tree(), {"A"}, "", skipped); }, ErrorKind::File, {table, ".json"});
    refuses(table, "]", "", {table, ".json: not valid JSON"});
  }
}

TEST_F(NuscenesSamples, NameTokensThatAreNowhere) {
  refuses("sample", R"("scene_token": "k0")", R"("scene_token": "k7")",
          {"sample.json: row 3", "k7", "scene.json"});
  refuses("calibrated_sensor", R"("sensor_token": "eB")", R"("sensor_token": "e7")",
          {"row 2", "e7", "sensor.json"});
  refuses("sample_data", R"("cRADAR")", R"("c7")",
          {"sample_data.json: row 4", "c7", "calibrated_sensor.json"});
  refuses("sample_data", R"("sample_token": "s2")", R"("sample_token": "s7")",
          {"row 9", "s7", "sample.json"});
  refuses("ego_pose", R"("token": "ps1LIDAR_TOP")", R"("token": "p7")",
          {"ego_pose.json", "ps1LIDAR_TOP", "sample s1"});
}

TEST_F(NuscenesSamples, NameValuesThatAreWrong) {
  refuses("sample", "1532402927604843", "1.5", {"sample.json: row 2", "\"timestamp\""});
  refuses("sample", R"("token": "s1")", R"("token": "s0")", {"row 2", "repeats the token s0"});
  refuses("calibrated_sensor", "[0, 1001, 450]", "[0, 1001]",
          {"row 1", "camera_intrinsic", "3 lists of 3 numbers"});
  refuses("calibrated_sensor", "[0.5, -0.5, -0.5, 0.5]", "[0, 0, 0, 0]",
          {"row 2", "\"rotation\"", "quaternion"});
  refuses("calibrated_sensor", R"("translation": [1, 0, 1.5])", R"("translation": [1, 0])",
          {"row 1", "\"translation\""});
  refuses("sample_data", "true", "1", {"row 1", "is_key_frame", "true or false"});
  refuses("sample_data", "samples/A/s1.jpg", "", {"filename"});
  refuses("sample_data", R"("is_key_frame": false)", R"("is_key_frame": true)",
          {"row 13", "second key frame of A", "s1"});
  tables_ = small_tables();
  expect_error([&] { read("", {"A", "CAM_TOP"}); }, ErrorKind::Usage, {"CAM_TOP", "A, B", "--cameras"});
}

TEST(NuscenesSplits, HaveTheirScenes) {
  EXPECT_EQ(scenes_of_split("train").size(), 700u);
  EXPECT_EQ(scenes_of_split("val").size(), 150u);
  EXPECT_EQ(scenes_of_split("mini_train").size(), 8u);
  EXPECT_THAT(scenes_of_split("mini_val"), testing::ElementsAre("scene-0103", "scene-0916"));
  EXPECT_TRUE(scenes_of_split("validation").empty());
  const std::vector<std::string> val = scenes_of_split("val");
  for (const std::string& scene : scenes_of_split("train"))
    EXPECT_EQ(std::ranges::count(val, scene), 0) << scene;
}

}  // namespace
}  // namespace tyto::apps
