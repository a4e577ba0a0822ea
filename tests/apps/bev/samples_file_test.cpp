#include "apps/bev/samples_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/bev/sample_texts.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace tyto::apps {
namespace {

using testing::AllOf, testing::ElementsAre, testing::HasSubstr, testing::IsEmpty;

class SamplesFile : public testing::Test {
 protected:
  std::vector<Sample> read(const std::string& text) {
    write_file(folder_ / "samples.jsonl", text);
    skipped_.clear();
    return read_samples_file(folder_ / "samples.jsonl", skipped_);
  }
  // A line in which `from` is `to` is left out, the one behind it not.
  void leaves_out(const std::string& from, const std::string& to, const std::string& word) {
    std::string line = sample_line(), next = sample_line();
    replace(line, from, to);
    ASSERT_NE(line, next) << from;
    replace(next, "\"0017\"", "\"0018\"");
    EXPECT_EQ(read(line + "\n" + next).size(), 1u) << line;
    EXPECT_THAT(skipped_, ElementsAre(AllOf(HasSubstr("samples.jsonl: line 1"), HasSubstr(word)))) << line;
  }

  TemporaryFolder folder_;
  SkippedInputs skipped_;
};

TEST_F(SamplesFile, SaysAllOfASample) {
  const std::vector<Sample> samples = read("\xEF\xBB\xBF" + sample_line() + "\r\n\n");
  EXPECT_THAT(skipped_, IsEmpty());
  ASSERT_EQ(samples.size(), 1u);
  const Sample& sample = samples[0];
  EXPECT_EQ(sample.id, "0017");
  EXPECT_EQ(sample.sequence, "street");
  EXPECT_EQ(sample.ego_pose, (Matrix4{1, 0, 0, 5, 0, 1, 0, 6, 0, 0, 1, 7, 0, 0, 0, 1}));
  EXPECT_EQ(sample.lidar_to_ego, kIdentity4);
  ASSERT_EQ(sample.cameras.size(), 1u);
  const SampleCamera& front = sample.cameras[0];
  EXPECT_EQ(front.name, "front");
  EXPECT_EQ(front.image, folder_ / "front/0017.jpg");
  EXPECT_EQ(front.camera.intrinsics, (Matrix3{500, 0, 320, 0, 501, 240, 0, 0, 1}));
  EXPECT_EQ(front.camera.camera_to_ego, (Matrix4{0, 0, 1, 1.5, -1, 0, 0, 0, 0, -1, 0, 1.6, 0, 0, 0, 1}));
  EXPECT_EQ(front.camera.augmentation, (Matrix3{0.5, 0, -3, 0, 0.5, -4, 0, 0, 1}));
}

TEST_F(SamplesFile, LeavesOutWhatIsWrongAndSaysWhere) {
  leaves_out("\"id\"", "\"ID\"", "has no \"id\"");
  leaves_out("\"0017\"", "17", "\"id\" that is not a text");
  leaves_out("\"0017\"", "\"\"", "\"id\"");
  leaves_out("\"ego_pose\"", "\"pose\"", "\"pose\"");
  leaves_out("[0, 0, 0, 1]]", "[0, 0, 0, 2]]", "\"ego_pose\"");
  leaves_out("[0, 0, 0, 1]]", "[0, 0, 0]]", "\"ego_pose\"");
  leaves_out("[0, 501, 240]", "[0, 501, \"240\"]", "cameras[0] has a \"intrinsics\"");
  leaves_out("[0.5, -0.5, 0.5, -0.5]", "[0, 0, 0, 0]", "\"camera_to_ego\" has a \"rotation\"");
  leaves_out("\"translation\"", "\"moved\"", "\"translation\"");
  leaves_out("\"image\"", "\"file\"", "cameras[0] has no \"image\"");
  leaves_out("\"augmentation\"", "\"augmentations\"", "\"augmentations\", which is not a key");
  leaves_out("\"cameras\": [{", "\"cameras\": [], \"camera\": [{", "\"cameras\"");
  leaves_out("\"sequence\": \"street\", ", "", "\"sequence\"");
  leaves_out("]]}]}", "]]}]", "not valid JSON");
  leaves_out("500", std::string(100, '[') + "500" + std::string(100, ']'), "nested too deeply");
}

TEST_F(SamplesFile, GivesEachIdOnce) {
  EXPECT_EQ(read(sample_line() + "\n" + sample_line()).size(), 1u);
  EXPECT_THAT(skipped_, ElementsAre(AllOf(HasSubstr("line 2"), HasSubstr("'0017'"))));
}

TEST_F(SamplesFile, IsNamedWhereItCannotBeRead) {
  SkippedInputs skipped;
  expect_error([&] { read_samples_file(folder_ / "none.jsonl", skipped); }, ErrorKind::File, {"none.jsonl"});
  expect_error([&] { read(std::string("\xFF\xFE{\0", 4)); }, ErrorKind::Format, {"samples.jsonl", "UTF-16"});
}

}  // namespace
}  // namespace tyto::apps
