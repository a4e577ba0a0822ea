#include "files/sha256.h"

#include <gtest/gtest.h>

#include "files/file.h"
#include "support/temporary_folder.h"

namespace tyto {
namespace {

std::string sha256(const std::string& text, size_t chunk) {
  Sha256 sha;
  for (size_t at = 0; at < text.size(); at += chunk)
    sha.update(text.data() + at, std::min(chunk, text.size() - at));
  return sha.hex();
}

TEST(Sha256, GivesTheVectorsOfFips180) {
  EXPECT_EQ(sha256("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, IsTheSameInPieces) {
  const std::string million(1'000'000, 'a');
  for (size_t chunk : {size_t{1000}, size_t{4097}, million.size()})
    EXPECT_EQ(sha256(million, chunk), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
        << chunk;
}

TEST(Sha256, OfAFileMayStartAnywhere) {
  const TemporaryFolder folder;
  const std::string million(1'000'000, 'a');
  write_text(folder / "a", "12345678" + million);
  EXPECT_EQ(sha256_of_file(folder / "a", 8), sha256(million, million.size()));
  EXPECT_EQ(sha256_of_file(folder / "a", 1'000'008), sha256("", 1));
  EXPECT_EQ(sha256_of_file(folder / "a"), sha256("12345678" + million, 64));
}

}  // namespace
}  // namespace tyto
