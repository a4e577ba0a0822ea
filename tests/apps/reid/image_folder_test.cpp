#include "apps/reid/image_folder.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "apps/reid/sample_features.h"

namespace {

using namespace tyto;
using namespace tyto::apps;
namespace fs = std::filesystem;

using Labels = std::vector<ImageLabel>;
using Names = std::vector<std::string>;

class DataSet : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text = {}) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  std::string refusal(ErrorKind kind, const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), kind) << e.what();
      return e.what();
    }
    ADD_FAILURE() << "was accepted";
    return {};
  }
  void expect_refusal(ErrorKind kind, const std::string& part, const std::function<void()>& call) {
    const std::string message = refusal(kind, call);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }

  TestFolder root_;
  SkippedInputs skipped_;
};

class Sysu : public DataSet {
 protected:
  Sysu() {
    for (const char* name :
         {"cam1/0006/0002.jpg", "cam1/0006/0001.jpg", "cam2/0017/0001.jpg", "cam4/0006/0001.jpg",
          "cam3/0017/0001.jpg", "cam6/0006/0001.jpg", "cam5/0001/0001.jpg"})
      write(name);
    write("exp/test_id.txt", "17,6\n");
  }
  std::vector<ImageFolder> list(const Shard& shard = {}) { return list_sysu(root_.path(), shard, skipped_); }
};

TEST_F(Sysu, ListsTheTestIdentitiesOfThermalAndOfVisibleCameras) {
  const std::vector<ImageFolder> folders = list();
  ASSERT_EQ(folders.size(), 2u);
  EXPECT_EQ(folders[0].set, SetKind::Query);
  EXPECT_EQ(folders[0].names, (Names{"cam6/0006/0001.jpg", "cam3/0017/0001.jpg"}));
  EXPECT_EQ(folders[0].labels, (Labels{{6, 6}, {17, 3}}));
  EXPECT_EQ(folders[1].set, SetKind::Gallery);
  EXPECT_EQ(folders[1].names,
            (Names{"cam1/0006/0001.jpg", "cam1/0006/0002.jpg", "cam4/0006/0001.jpg", "cam2/0017/0001.jpg"}));
  EXPECT_EQ(folders[1].labels, (Labels{{6, 1}, {6, 1}, {6, 4}, {17, 2}}));
  EXPECT_EQ(folders[1].files[0], root_ / "cam1/0006/0001.jpg");
  EXPECT_TRUE(skipped_.empty());
}

TEST_F(Sysu, ShardsHaveEveryImageOnce) {
  Names together;
  for (int i = 0; i < 3; ++i)
    for (const ImageFolder& folder : list({i, 3}))
      together.insert(together.end(), folder.names.begin(), folder.names.end());
  std::ranges::sort(together);
  EXPECT_EQ(together, (Names{"cam1/0006/0001.jpg", "cam1/0006/0002.jpg", "cam2/0017/0001.jpg",
                             "cam3/0017/0001.jpg", "cam4/0006/0001.jpg", "cam6/0006/0001.jpg"}));
}

TEST_F(Sysu, SkipsAndNamesWhatItsFoldersLack) {
  write("exp/test_id.txt", "6,17,25,30");
  fs::create_directories(root_ / "cam1/0030");
  EXPECT_EQ(list()[0].names.size(), 2u);
  ASSERT_EQ(skipped_.size(), 2u);
  EXPECT_NE(skipped_[0].find("cam*/0025: identity 25"), std::string::npos) << skipped_[0];
  EXPECT_NE(skipped_[1].find("cam1/0030"), std::string::npos) << skipped_[1];
}

TEST_F(Sysu, NamesAMissingListOrCamera) {
  fs::remove_all(root_ / "cam6");
  expect_refusal(ErrorKind::File, "cam6: no such folder", [&] { list(); });
  fs::remove_all(root_ / "exp");
  expect_refusal(ErrorKind::File, "exp/test_id.txt: no such list; --root names the folder of SYSU-MM01",
                 [&] { list(); });
}

TEST_F(Sysu, NamesWhatIsNoIdentity) {
  for (const auto& [text, part] : {std::pair{"6,x7,8", "with commas between them: 'x7'"},
                                   {"6 -7", "them: '-7'"},
                                   {"\n", "no identity"}}) {
    write("exp/test_id.txt", text);
    expect_refusal(ErrorKind::Format, part, [&] { list(); });
  }
}

class Regdb : public DataSet {
 protected:
  Regdb() {
    write("idx/test_visible_3.txt", "Visible/12/a v.bmp 0\r\nVisible/7/b.bmp 1\r\n\n");
    write("idx/test_thermal_3.txt", "Thermal/12/c.bmp 0");
  }
  std::vector<ImageFolder> list(int64_t split = 3, const Shard& shard = {}) {
    return list_regdb(root_.path(), split, shard, skipped_);
  }
};

TEST_F(Regdb, ListsWhatTheSplitNames) {
  const std::vector<ImageFolder> folders = list();
  ASSERT_EQ(folders.size(), 2u);
  EXPECT_EQ(folders[0].set, SetKind::Query);
  EXPECT_EQ(folders[0].names, (Names{"Visible/12/a v.bmp", "Visible/7/b.bmp"}));
  EXPECT_EQ(folders[0].labels, (Labels{{0, 1}, {1, 1}}));
  EXPECT_EQ(folders[0].files[0], root_ / "Visible/12/a v.bmp");
  EXPECT_EQ(folders[1].set, SetKind::Gallery);
  EXPECT_EQ(folders[1].names, (Names{"Thermal/12/c.bmp"}));
  EXPECT_EQ(folders[1].labels, (Labels{{0, 2}}));
}

TEST_F(Regdb, ShardsHaveEveryImageOnce) {
  EXPECT_EQ(list(3, {0, 2})[0].names.size() + list(3, {1, 2})[0].names.size(), 2u);
}

TEST_F(Regdb, NamesAMissingList) {
  expect_refusal(ErrorKind::File, "idx/test_visible_4.txt: no such list; --root names the folder of RegDB",
                 [&] { list(4); });
}

TEST_F(Regdb, NamesALineOfAnotherForm) {
  for (const char* line :
       {"Visible/7/b.bmp", "Visible/7/b.bmp one", "Visible/7/b.bmp -1", " 3", "Visible/7/b.bmp 1.5"}) {
    write("idx/test_visible_3.txt", "Visible/12/a.bmp 0\n" + std::string(line) + "\n");
    expect_refusal(ErrorKind::Format,
                   "test_visible_3.txt: line 2 is not a path, a space and a label that is a whole number: '" +
                       std::string(line) + "'",
                   [&] { list(); });
  }
  write("idx/test_visible_3.txt", "a.bmp 0\na.bmp 1\n");
  expect_refusal(ErrorKind::Format, "line 2 names an image a second time: 'a.bmp 1'", [&] { list(); });
}

}  // namespace
