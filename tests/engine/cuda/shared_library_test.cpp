// How NVIDIA's libraries are found, and what is said where they are not.
#include "engine/cuda/libraries/shared_library.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "files/file.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace tyto::cuda {
namespace {

constexpr const char* kVariable = "TYTO_CUDA_LIBRARIES";

class SharedLibraryTest : public testing::Test {
 protected:
  void SetUp() override { unsetenv(kVariable); }
  void TearDown() override { unsetenv(kVariable); }

  const TemporaryFolder folder;
};

TEST_F(SharedLibraryTest, SaysWhatIsMissingWhereItWasSoughtAndWhatToDo) {
  expect_error([] { SharedLibrary("cuDNN 9", "libno_such.so.9"); }, ErrorKind::Device,
               {"cuDNN 9", "libno_such.so.9", kVariable, "not set", "/usr/local/cuda/lib64", "install"});
  const std::string folders = (folder / "a").string() + ":" + (folder / "b").string();
  setenv(kVariable, folders.c_str(), 1);
  expect_error([] { SharedLibrary("cuDNN 9", "libno_such.so.9"); }, ErrorKind::Device, {folders});
}

TEST_F(SharedLibraryTest, SaysWhyAFileDoesNotLoad) {
  write_text(folder / "libbroken.so.9", "no library");
  setenv(kVariable, (folder / "").c_str(), 1);
  expect_error([] { SharedLibrary("cuDNN 9", "libbroken.so.9"); }, ErrorKind::Device,
               {"libbroken.so.9", "file too short"});
}

TEST_F(SharedLibraryTest, LooksInTheNamedFoldersFirst) {
  const std::string usual = SharedLibrary("zlib", "libz.so.1").path();
  std::filesystem::copy_file(usual, folder / "libz.so.1");
  setenv(kVariable, ((folder / "none").string() + ":" + (folder / "").string()).c_str(), 1);
  EXPECT_EQ(std::filesystem::path(SharedLibrary("zlib", "libz.so.1").path()).lexically_normal(),
            folder / "libz.so.1");
  setenv(kVariable, (folder / "none").c_str(), 1);
  EXPECT_EQ(SharedLibrary("zlib", "libz.so.1").path(), usual);
}

TEST_F(SharedLibraryTest, NamesAFunctionThatItLacks) {
  const SharedLibrary library("the C library", "libc.so.6");
  EXPECT_NE(library.symbol("strlen"), nullptr);
  expect_error([&] { library.symbol("no_such_function"); }, ErrorKind::Device,
               {"libc.so.6", "no_such_function", "the C library"});
}

}  // namespace
}  // namespace tyto::cuda
