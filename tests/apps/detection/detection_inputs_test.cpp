#include "apps/detection/detection_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "apps/images/folder.h"
#include "files/utf8.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

class Inputs : public testing::Test {
 protected:
  std::vector<std::string> outputs(const std::vector<std::string>& names,
                                   const std::vector<std::string>& arguments) {
    for (const std::string& name : names) folder_.write(name, "x");
    std::vector<std::string> paths, found;
    for (const std::string& a : arguments) paths.push_back((folder_.path() / a).string());
    for (const DetectionInput& input : list_inputs(paths, own_, skipped_)) {
      EXPECT_TRUE(std::filesystem::exists(input.name()));
      found.push_back(input.output);
    }
    return found;
  }

  const TemporaryFolder folder_;
  std::vector<std::filesystem::path> own_;
  SkippedInputs skipped_;
};

using testing::ElementsAre;

TEST_F(Inputs, KeepTheFoldersBelowTheOneGiven) {
  EXPECT_THAT(outputs({"in/b/2.jpg", "in/a.png", "in/clip.AVI", "in/notes.txt"}, {"in"}),
              ElementsAre("a", "b/2", "clip"));
  EXPECT_THAT(outputs({}, {"in/b/2.jpg", "in/notes.txt"}), ElementsAre("2", "notes"));
}

TEST_F(Inputs, NeverShareAnOutput) {
  EXPECT_THAT(outputs({"a/x.jpg", "a/x.png", "b/x.jpg", "a/x.mp4"}, {"a", "b"}),
              ElementsAre("x-2", "x", "x-3", "x-4"));
  EXPECT_THAT(outputs({"c/x y.jpg", "c/x_y.jpg", "c/x_y-2.jpg"}, {"c"}),
              ElementsAre("x_y", "x_y-2", "x_y-3"));
}

TEST_F(Inputs, ImageTakesNoNameOfAFrame) {
  EXPECT_EQ(frame_output("clip", 120), "clip_f000120");
  EXPECT_THAT(outputs({"a/clip_f000120.jpg", "a/clip.mkv", "a/other_f000120.jpg", "a/clip_f.jpg"}, {"a"}),
              ElementsAre("clip", "clip_f", "clip_f000120-2", "other_f000120"));
}

TEST_F(Inputs, CountOnce) { EXPECT_THAT(outputs({"a/x.jpg"}, {"a", "a/x.jpg", "a"}), ElementsAre("x")); }

TEST_F(Inputs, WithoutUtf8AreSkipped) {
  EXPECT_THAT(outputs({"a/x.jpg", "a/caf\xe9.jpg"}, {"a"}), ElementsAre("x"));
  ASSERT_EQ(skipped_.size(), 1u);
  EXPECT_THAT(skipped_[0], testing::HasSubstr("not UTF-8"));
}

TEST_F(Inputs, AreNotWhatTheRunWritesItself) {
  own_ = {folder_.path() / "in" / "." / "out" / "pictures", folder_.path() / "crops"};
  EXPECT_THAT(
      outputs({"in/x.jpg", "in/out/pictures/x.jpg", "in/out/pictures/a/y.jpg", "in/pictures/z.jpg"}, {"in"}),
      ElementsAre("pictures/z", "x"));
  EXPECT_THROW(outputs({}, {"in/out"}), Error);
}

TEST_F(Inputs, ThatAreNotThereAreAnError) {
  EXPECT_THROW(outputs({"a/x.txt"}, {"a"}), Error);
  EXPECT_THROW(outputs({}, {"nowhere"}), Error);
}

TEST(SafeFileName, KeepsNamesReadableAndHarmless) {
  EXPECT_EQ(safe_file_name("traffic light"), "traffic_light");
  EXPECT_EQ(safe_file_name("a/b\\c:d*?\"<>|\n$`"), "a_b_c_d_________");
  EXPECT_EQ(safe_file_name("..hidden"), "_..hidden");
  EXPECT_EQ(safe_file_name(""), "_");
  EXPECT_EQ(safe_file_name("käuzchen"), "käuzchen");
  EXPECT_EQ(safe_file_name("caf\xe9"), "caf_");
  std::string owls;
  for (int i = 0; i < 100; ++i) owls += "🦉";
  const std::string cut = safe_file_name(owls);
  EXPECT_TRUE(is_utf8(cut));
  EXPECT_EQ(cut.size(), 120u);
  EXPECT_EQ(safe_file_name("x" + owls).size(), 117u);  // 29 owls
}

TEST(SafeFileName, FolderIsNotCalledLikeAPicture) {
  const TemporaryFolder folder;
  folder.write("in/a.jpg/b.png", "x");
  folder.write("in/a.png", "x");
  SkippedInputs skipped;
  const auto inputs = list_inputs({(folder.path() / "in").string()}, {}, skipped);
  ASSERT_EQ(inputs.size(), 2u);
  EXPECT_EQ(inputs[0].output, "a.jpg_/b");
  EXPECT_EQ(inputs[1].output, "a");
}

}  // namespace
}  // namespace tyto::apps
