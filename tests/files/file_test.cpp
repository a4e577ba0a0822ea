#include "files/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "support/errors.h"
#include "support/temporary_folder.h"

namespace tyto {
namespace {

using namespace std::string_literals;

std::string text_at(const File& file, uint64_t offset, size_t bytes) {
  std::string text(bytes, '\0');
  file.read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

TEST(File, ReadsAnyRange) {
  const TemporaryFolder folder;
  write_text(folder / "a", "0123456789");
  const File file(folder / "a");
  EXPECT_EQ(file.size(), 10u);
  EXPECT_EQ(text_at(file, 3, 4), "3456");
  EXPECT_EQ(text_at(file, 10, 0), "");
}

TEST(File, NamesTheByteAtWhichItEnds) {
  const TemporaryFolder folder;
  write_text(folder / "short.bin", "0123456789");
  const File file(folder / "short.bin");
  expect_error([&] { text_at(file, 8, 3); }, ErrorKind::File, {"short.bin", "truncated", "byte 10"});
  expect_error([&] { text_at(file, 4000, 1); }, ErrorKind::File, {"short.bin", "truncated"});
}

TEST(File, TruncatedWhileOpenIsAnError) {
  const TemporaryFolder folder;
  write_text(folder / "a", std::string(100, 'x'));
  const File file(folder / "a");
  ASSERT_EQ(::truncate((folder / "a").c_str(), 50), 0);
  EXPECT_EQ(text_at(file, 0, 50).size(), 50u);
  expect_error([&] { text_at(file, 0, 100); }, ErrorKind::File, {"byte 50"});
}

TEST(File, RefusesWhatIsNoFile) {
  const TemporaryFolder folder;
  expect_error([&] { File(folder / "absent"); }, ErrorKind::File, {"absent", "No such file"});
  expect_error([&] { File(folder / "."); }, ErrorKind::File, {"not a regular file"});
  expect_error([] { File("/dev/zero"); }, ErrorKind::File, {"/dev/zero", "not a regular file"});
}

TEST(AtomicFile, LeavesNothingBehindWhereItWasNotCommitted) {
  const TemporaryFolder folder;
  {
    AtomicFile file(folder / "a");
    file.write("half");
    EXPECT_EQ(folder.files(), 1);
  }
  EXPECT_EQ(folder.files(), 0);
}

TEST(AtomicFile, KeepsTheOldContentsUntilCommitted) {
  const TemporaryFolder folder;
  write_text(folder / "a", "old");
  AtomicFile file(folder / "a");
  file.write("new text");
  EXPECT_EQ(read_text(folder / "a", 100), "old");
  file.write_at(0, "NEW", 3);
  file.commit();
  EXPECT_EQ(read_text(folder / "a", 100), "NEW text");
  EXPECT_EQ(folder.files(), 1);
}

TEST(AtomicFile, SaysWhyItCannotWrite) {
  const TemporaryFolder folder;
  expect_error([&] { AtomicFile(folder / "absent/a"); }, ErrorKind::File, {"absent/a", "cannot write"});
  std::filesystem::create_directory(folder / "taken");
  expect_error([&] { write_text(folder / "taken", "x"); }, ErrorKind::File, {"taken", "cannot write"});
  EXPECT_EQ(folder.files(), 1);
}

TEST(AtomicFile, AFullDiskIsAnError) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("/dev/full", folder / ("a." + std::to_string(::getpid()) + ".tmp"));
  AtomicFile file(folder / "a");
  expect_error([&] { file.write("x"); }, ErrorKind::File, {"No space left"});
}

TEST(ReadText, RefusesAFileAboveItsLimit) {
  const TemporaryFolder folder;
  write_text(folder / "a", "0123456789");
  EXPECT_EQ(read_text(folder / "a", 10), "0123456789");
  expect_error([&] { read_text(folder / "a", 9); }, ErrorKind::Format, {"10 bytes", "at most 9"});
}

TEST(ReadText, TakesOffAByteOrderMark) {
  const TemporaryFolder folder;
  for (const std::string& text : {"a\nb"s, ""s, "\xEF\xBB"s, "b\xEF\xBB\xBF"s}) {
    write_text(folder / "plain", text);
    write_text(folder / "marked", "\xEF\xBB\xBF" + text);
    EXPECT_EQ(read_text(folder / "plain", 100), text);
    EXPECT_EQ(read_text(folder / "marked", 100), text);
    EXPECT_EQ(read_bytes(folder / "marked", 100), "\xEF\xBB\xBF" + text);
  }
}

TEST(ReadText, RefusesWideCharacters) {
  const TemporaryFolder folder;
  for (const std::string& mark : {"\xFF\xFE"s, "\xFE\xFF"s, "\xFF\xFE\0\0"s, "\0\0\xFE\xFF"s}) {
    write_text(folder / "wide.txt", mark + "x");
    expect_error([&] { read_text(folder / "wide.txt", 100); }, ErrorKind::Format,
                 {"wide.txt", "UTF-16", "UTF-8"});
  }
}

}  // namespace
}  // namespace tyto
