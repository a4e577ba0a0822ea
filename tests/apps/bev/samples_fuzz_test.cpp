// Tables, lines and runs that were cut or altered: each is read, or refused in one sentence.
#include <gtest/gtest.h>

#include <random>

#include "apps/bev/bev_folder.h"
#include "apps/bev/nuscenes_samples.h"
#include "apps/bev/sample_texts.h"
#include "apps/bev/samples_file.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace tyto::apps {
namespace {

std::string altered(std::string text, std::mt19937& random) {
  if (random() % 8 == 0) return text.substr(0, random() % text.size());
  const std::string marks = "0123456789-.eE[]{}\",: \\ntfaun";
  for (uint32_t edits = 1 + random() % 3; edits > 0; --edits)
    text[random() % text.size()] =
        random() % 4 ? marks[random() % marks.size()] : static_cast<char>(random());
  return text;
}

TEST(SamplesFuzz, AlteredTablesAreReadOrExplained) {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> tables = small_tables();
  write_tables(folder / "v", tables);
  std::mt19937 random(1);
  int read = 0, refused = 0;
  for (int i = 0; i < 500; ++i) {
    const auto table = std::next(tables.begin(), static_cast<int64_t>(random() % tables.size()));
    write_tables(folder / "v", {{table->first, altered(table->second, random)}});
    SkippedInputs skipped;
    const bool whole = succeeds_or_explains([&] {
      read_nuscenes({folder / "", "v"}, {"A", "B"}, "", skipped);
    });
    ++(whole ? read : refused);
    write_tables(folder / "v", {*table});
  }
  EXPECT_GT(read, 10);
  EXPECT_GT(refused, 100);
}

TEST(SamplesFuzz, AlteredLinesAreReadOrExplained) {
  const TemporaryFolder folder;
  const std::string line = to_json_line(
      {"0017", "street", 3, "raw/0017.npz", {"grids/0017.png"}, "pictures/0017.jpg", true, {{"car", 7}}});
  std::mt19937 random(2);
  size_t read = 0, left_out = 0, refused = 0;
  for (int i = 0; i < 800; ++i) {
    write_file(folder / "s.jsonl", altered(sample_line(), random));
    SkippedInputs skipped;
    succeeds_or_explains([&] { read += read_samples_file(folder / "s.jsonl", skipped).size(); });
    left_out += skipped.size();
    refused += !succeeds_or_explains([&] { bev_line_from(altered(line, random), "bev.jsonl", 1); });
  }
  EXPECT_GT(read, 20u);
  EXPECT_GT(left_out, 300u);
  EXPECT_GT(refused, 300u);
}

}  // namespace
}  // namespace tyto::apps
