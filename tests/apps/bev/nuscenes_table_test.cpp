#include "apps/bev/nuscenes_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/bev/sample_texts.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace tyto::apps {
namespace {

class NuscenesTable : public testing::Test {
 protected:
  std::vector<std::string> rows(const std::string& text) {
    write_file(folder_ / "table.json", text);
    std::vector<std::string> rows;
    for_each_row(folder_ / "table.json", {"a", "b"},
                 [&](const JsonObject& row) { rows.push_back(row.value().dump()); });
    return rows;
  }
  void refuses(const std::string& text, const std::vector<std::string>& words) {
    expect_error([&] { rows(text); }, ErrorKind::Format, words);
  }

  TemporaryFolder folder_;
};

TEST_F(NuscenesTable, GivesTheWantedValuesOfEachRow) {
  EXPECT_THAT(
      rows(
          R"([{"a": 1, "c": {"a": [2]}, "b": [[1.5, "x"], {"d": null, "e": [true]}]}, {"c": [[]]}, {"b": "é"}])"),
      testing::ElementsAre(R"({"a":1,"b":[[1.5,"x"],{"d":null,"e":[true]}]})", "{}", R"({"b":"é"})"));
  EXPECT_THAT(rows("[]"), testing::IsEmpty());
}

TEST_F(NuscenesTable, ReadsRowsAcrossThePiecesOfALargeFile) {
  std::string text = "[";
  constexpr int kRows = 300;
  for (int i = 0; i < kRows; ++i)
    text += (i > 0 ? ", " : "") + std::string(R"({"c": ")") + std::string(9999, 'x') + R"(", "a": )" +
            std::to_string(i) + "}";
  const std::vector<std::string> found = rows(text + "]");
  ASSERT_EQ(found.size(), kRows);
  for (int i = 0; i < kRows; ++i)
    EXPECT_EQ(found[static_cast<size_t>(i)], "{\"a\":" + std::to_string(i) + "}");
}

TEST_F(NuscenesTable, RefusesWhatIsNoTable) {
  for (const char* text : {"7", R"("x")", R"({"a": 1})"}) refuses(text, {"table.json", "list of rows"});
  refuses("", {"not valid JSON at byte 1"});
  refuses(R"([{"a": 1}, 7])", {"table.json: row 2", "not a JSON object"});
  refuses(R"([[{"a": 1}]])", {"row 1", "not a JSON object"});
  refuses(R"([{"a": 1}, {"a": 2, )", {"table.json: not valid JSON at byte", "cut off"});
  refuses(R"([{"a": NaN}])", {"not valid JSON"});
  refuses(R"([{"a": 1}] [)", {"not valid JSON"});
  expect_error([&] { for_each_row(folder_ / "none.json", {"a"}, [](const JsonObject&) {}); }, ErrorKind::File,
               {"none.json"});
}

TEST_F(NuscenesTable, BoundsARow) {
  const auto lists = [](int depth) { return std::string(static_cast<size_t>(depth), '['); };
  refuses(R"([{"c": )" + lists(1 << 20), {"row 1 is nested too deeply"});
  refuses(R"([{}, {"c": ")" + std::string(kMaxRowBytes, 'x') + "\"}]", {"row 2 is longer than"});
  refuses(R"([{"c": ")" + std::string(5 * kMaxRowBytes, 'x'), {"row 1 is longer than"});
  EXPECT_EQ(rows(R"([{"c": [[[[[[[1]]]]]]]}])").size(), 1u);
}

TEST_F(NuscenesTable, NamesTheRowOfAWrongValue) {
  write_file(folder_ / "table.json", R"([{"a": 1}, {"a": "1"}, {}])");
  int64_t row = 0;
  const auto visit = [&](const JsonObject& r) {
    if (++row == 2) expect_error([&] { r.get<int>("a"); }, ErrorKind::Format, {"table.json: row 2", "\"a\""});
    if (row == 3) expect_error([&] { r.get<int>("a"); }, ErrorKind::Format, {"row 3 has no \"a\""});
  };
  for_each_row(folder_ / "table.json", {"a"}, visit);
  EXPECT_EQ(row, 3);
}

}  // namespace
}  // namespace tyto::apps
