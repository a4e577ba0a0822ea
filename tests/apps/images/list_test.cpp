#include "apps/images/list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/images/folder.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

std::vector<std::string> listed(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const auto& path : list_images_and_videos(folder.path()))
    names.push_back(path.lexically_relative(folder.path()).string());
  return names;
}

TEST(ListImagesAndVideos, SortsByFolderAndNameAsPython) {
  const TemporaryFolder folder;
  for (const char* name :
       {"b/2.jpg", "b/10.jpg", "b.jpg", "B/1.jpg", "a/z/1.png", "a/y.png", "a.d/1.bmp", "\xC3\xA4.jpg"})
    folder.write(name, "");
  // sorted() of ('B', '1.jpg'), ('a', 'y.png') ...: a folder before what only begins like it, digits as
  // letters.
  EXPECT_EQ(listed(folder), (std::vector<std::string>{"B/1.jpg", "a/y.png", "a/z/1.png", "a.d/1.bmp",
                                                      "b/10.jpg", "b/2.jpg", "b.jpg", "\xC3\xA4.jpg"}));
}

TEST(ListImagesAndVideos, TakesWhatLooksLikeAnImageOrAVideoOfAnyCase) {
  const TemporaryFolder folder;
  for (const char* name :
       {"a.JPG", "b.jpeg", "c.Tiff", "d.webp", "e.txt", "jpg", "f.jpg.tmp", ".hidden.jpg", ".cache/g.jpg",
        "h.HEIC", "i.m2ts", "j.gif", "k.svg", "Thumbs.db", "labels.json", "l.mat", "m.csv"})
    folder.write(name, "");
  EXPECT_EQ(listed(folder), (std::vector<std::string>{"a.JPG", "b.jpeg", "c.Tiff", "d.webp", "h.HEIC",
                                                      "i.m2ts", "j.gif", "k.svg"}));
}

TEST(ListImagesAndVideos, FollowsLinksOnce) {
  const TemporaryFolder folder;
  folder.write("real/a.jpg", "");
  std::filesystem::create_directory_symlink(folder.path(), folder.path() / "real" / "up");
  std::filesystem::create_directory_symlink(folder.path() / "real", folder.path() / "same");
  std::filesystem::create_symlink("nowhere", folder.path() / "broken.jpg");
  EXPECT_EQ(listed(folder), (std::vector<std::string>{"broken.jpg", "real/a.jpg"}));
}

TEST(ListImagesAndVideos, TakesOneFileWhateverItsName) {
  const TemporaryFolder folder;
  const auto file = folder.write("picture", "");
  EXPECT_EQ(list_images_and_videos(file), std::vector{file});
}

TEST(ListImagesAndVideos, NamesAFolderThatIsMissingOrHoldsNone) {
  const TemporaryFolder folder;
  folder.write("readme.txt", "");
  for (const auto& [path, reason] : {std::pair{folder.path(), "holds no images"},
                                     std::pair{folder.path() / "gone", "no such file or folder"}}) {
    try {
      list_images_and_videos(path);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::File);
      EXPECT_THAT(error.what(),
                  testing::AllOf(testing::HasSubstr(path.string()), testing::HasSubstr(reason)));
    }
  }
}

}  // namespace
}  // namespace tyto::apps
