#include "files/safetensors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>

#include "support/errors.h"
#include "support/random_values.h"
#include "support/same_bits.h"
#include "support/temporary_folder.h"

namespace tyto {
namespace {

using Metadata = std::map<std::string, std::string>;

std::string with_header(const std::string& header, const std::string& data = "") {
  const uint64_t bytes = header.size();
  std::string text(sizeof bytes, '\0');
  std::memcpy(text.data(), &bytes, sizeof bytes);
  return text + header + data;
}

void write_two(const std::filesystem::path& path, const Tensor& a, const Tensor& b,
               const Metadata& metadata) {
  SafetensorsWriter writer(path, {{"z", {a.dtype(), a.shape()}}, {"a", {b.dtype(), b.shape()}}}, metadata);
  writer.append("z", a);
  writer.append("a", b);
  writer.commit();
}

TEST(Safetensors, ReadsBackTheBytesThatWereWritten) {
  const TemporaryFolder folder;
  const Tensor a = noise({3, 5}, 1), b = Tensor::zeros(DType::U8, {7});
  write_two(folder / "t", a, b, {{"key", "\"välue\""}});
  const SafetensorsFile file(folder / "t");
  EXPECT_EQ(file.names(), (std::vector<std::string>{"z", "a"}));
  EXPECT_TRUE(same_bits(file.read("z"), a));
  EXPECT_TRUE(same_bits(file.read("a"), b));
  EXPECT_EQ(file.metadata(), (Metadata{{"key", "\"välue\""}}));
  EXPECT_EQ(file.data_begin() % 64, 0u);
  EXPECT_FALSE(file.find("b"));
  expect_error([&] { file.read("b"); }, ErrorKind::Format, {"no tensor 'b'"});
}

TEST(Safetensors, HoldsScalarsAndEmptyTensors) {
  const TemporaryFolder folder;
  const float one[] = {1};
  write_two(folder / "t", Tensor::of<float>(Shape{}, one), Tensor(DType::F32, {0, 4}), {});
  const SafetensorsFile file(folder / "t");
  EXPECT_EQ(file.read("z").as<float>()[0], 1);
  EXPECT_EQ(file.read("a").shape(), (Shape{0, 4}));
}

TEST(Safetensors, WritesEqualBytesForEqualCalls) {
  const TemporaryFolder folder;
  for (const char* name : {"1", "2"})
    write_two(folder / name, noise({9}, 1), noise({4}, 2), {{"b", "1"}, {"a", "2"}});
  EXPECT_EQ(read_text(folder / "1", 10000), read_text(folder / "2", 10000));
}

TEST(Safetensors, ReadsRowsAlone) {
  const TemporaryFolder folder;
  const Tensor a = noise({5, 3}, 1);
  write_two(folder / "t", a, noise({2}, 2), {});
  const SafetensorsFile file(folder / "t");
  const Tensor rows = file.read_rows("z", 2, 2);
  EXPECT_TRUE(std::ranges::equal(rows.as<float>(), a.as<float>().subspan(6, 6)));
  EXPECT_EQ(file.read_rows("z", 5, 0).shape(), (Shape{0, 3}));
  for (auto [first, count] : {std::pair<int64_t, int64_t>{4, 2}, {-1, 1}, {6, 0}, {0, -1}})
    expect_error([&] { file.read_rows("z", first, count); }, ErrorKind::Shape, {"'z'", "[5, 3]"});
}

TEST(SafetensorsWriter, RefusesTensorsThatWereNotDeclared) {
  const TemporaryFolder folder;
  SafetensorsWriter writer(folder / "t", {{"a", {DType::F32, {2}}}}, {});
  expect_error([&] { writer.append("b", noise({2}, 1)); }, ErrorKind::Shape, {"'b'", "next"});
  expect_error([&] { writer.append("a", noise({3}, 1)); }, ErrorKind::Shape, {"'a' [3]"});
  expect_error([&] { writer.commit(); }, ErrorKind::Shape, {"0 of 8 bytes"});
}

TEST(SafetensorsWriter, ReplacesMetadataThatDoesNotGrow) {
  const TemporaryFolder folder;
  SafetensorsWriter writer(folder / "t", {{"a", {DType::F32, {2}}}}, {{"hash", "000"}});
  writer.append("a", noise({2}, 1));
  expect_error([&] { writer.commit({{"hash", std::string(100, 'x')}}); }, ErrorKind::Shape, {"grew"});
  writer.commit({{"hash", "abc"}});
  EXPECT_EQ(SafetensorsFile(folder / "t").metadata().at("hash"), "abc");
}

struct Broken {
  const char* name;
  std::string bytes;
  ErrorKind kind;
  const char* word;
};

void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

class SafetensorsRefuses : public testing::TestWithParam<Broken> {};

TEST_P(SafetensorsRefuses, WithOneSentenceThatNamesTheFile) {
  const TemporaryFolder folder;
  write_text(folder / "broken.safetensors", GetParam().bytes);
  expect_error([&] { SafetensorsFile(folder / "broken.safetensors"); }, GetParam().kind,
               {"broken.safetensors", GetParam().word});
}

const std::string kFour(4, 'x');
const Broken kBroken[] = {
    {"AnEmptyFile", "", ErrorKind::Format, "too few"},
    {"ALengthAlone", std::string("\x05\0\0\0\0\0\0\0", 8), ErrorKind::Format, "truncated in its header"},
    {"AHeaderBeyondAllMeasure", std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), ErrorKind::Format,
     "header"},
    {"NoJson", with_header("{\"w\": "), ErrorKind::Format, "not valid JSON"},
    {"NoUtf8", with_header("{\"\xff\": {}}"), ErrorKind::Format, "not valid JSON"},
    {"AnEmptyHeader", with_header(""), ErrorKind::Format, "not valid JSON"},
    {"AList", with_header("[]"), ErrorKind::Format, "not an object"},
    {"ANumber", with_header("7"), ErrorKind::Format, "not an object"},
    {"DeepNesting", with_header("{\"w\":" + std::string(100000, '[') + std::string(100000, ']') + "}"),
     ErrorKind::Format, "nested"},
    {"AnEntryThatIsAList", with_header(R"({"w":[]})"), ErrorKind::Format, "'w' is not an object"},
    {"AnEntryThatIsEmpty", with_header(R"({"w":{}})"), ErrorKind::Format, "'w' lacks"},
    {"MetadataThatIsNoObject", with_header(R"({"__metadata__":7})"), ErrorKind::Format, "not an object"},
    {"MetadataThatIsNoText", with_header(R"({"__metadata__":{"k":7}})"), ErrorKind::Format,
     "'k' is not a string"},
    {"ATensorTwice",
     with_header(R"({"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                 R"("w":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
                 kFour),
     ErrorKind::Format, "'w' stands twice"},
    {"AShapeThatDoesNotFillItsForeignBytes", with_header(entry("\"C64\"", "[1]", "[0,4]"), kFour),
     ErrorKind::Format, "4 bytes, which C64"},
    {"ATypeThatIsNoText", with_header(entry("32", "[1]", "[0,4]"), kFour), ErrorKind::Format, "'w' lacks"},
    {"ANegativeSize", with_header(entry("\"F32\"", "[-1]", "[0,4]"), kFour), ErrorKind::Format,
     "whole number"},
    {"AFractionalSize", with_header(entry("\"F32\"", "[1.0]", "[0,4]"), kFour), ErrorKind::Format,
     "whole number"},
    {"AnAbsurdSize", with_header(entry("\"F32\"", "[9000000000000000000]", "[0,4]"), kFour),
     ErrorKind::Format, "absurd"},
    {"AShapeThatIsNoList", with_header(entry("\"F32\"", "4", "[0,4]"), kFour), ErrorKind::Format,
     "'w' lacks"},
    {"TooManyDimensions",
     with_header(entry("\"F32\"", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]"), kFour), ErrorKind::Format,
     "'w' lacks"},
    {"OneOffset", with_header(entry("\"F32\"", "[1]", "[4]"), kFour), ErrorKind::Format, "'w' lacks"},
    {"ANegativeOffset", with_header(entry("\"F32\"", "[1]", "[-4,0]"), kFour), ErrorKind::Format,
     "whole number"},
    {"OffsetsTheWrongWayRound", with_header(entry("\"F32\"", "[1]", "[4,0]"), kFour), ErrorKind::Format,
     "outside"},
    {"AnOffsetBeyondTheFile", with_header(entry("\"F32\"", "[2]", "[0,8]"), kFour), ErrorKind::Format,
     "truncated"},
    {"AnOffsetThatWraps", with_header(entry("\"F32\"", "[1]", "[0,18446744073709551615]"), kFour),
     ErrorKind::Format, "outside"},
    {"AShapeThatDoesNotFillItsBytes", with_header(entry("\"F32\"", "[2]", "[0,4]"), kFour), ErrorKind::Format,
     "4 bytes"},
    {"HalfAnElement", with_header(entry("\"F32\"", "[0]", "[0,2]"), "xx"), ErrorKind::Format, "2 bytes"},
    {"BytesThatNobodyOwns", with_header(entry("\"U8\"", "[2]", "[0,2]"), kFour), ErrorKind::Format,
     "2 bytes follow"},
    {"AHole", with_header(entry("\"U8\"", "[2]", "[2,4]"), kFour), ErrorKind::Format, "hole"},
    {"AnOverlap",
     with_header(R"({"v":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                 R"("w":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
                 kFour),
     ErrorKind::Format, "overlap"},
};
INSTANTIATE_TEST_SUITE_P(Headers, SafetensorsRefuses, testing::ValuesIn(kBroken),
                         [](const auto& test) { return test.param.name; });

TEST(Safetensors, ListsTensorsOfTypesThatTytoLacksAndRefusesToReadThem) {
  const TemporaryFolder folder;
  const std::pair<const char*, const char*> types[] = {
      {"F8_E4M3", "[4]"}, {"U16", "[2,1]"}, {"U32", "[]"}, {"F4", "[2,4]"}, {"NEWER", "[7]"}};
  for (const auto& [type, shape] : types) {
    write_text(folder / "foreign.safetensors",
               with_header(entry(fmt::format("\"{}\"", type), shape, "[0,4]"), kFour));
    const SafetensorsFile file(folder / "foreign.safetensors");
    EXPECT_EQ(file.find("w")->foreign_type, type);
    EXPECT_EQ(type_name(*file.find("w")), type);
    expect_error([&] { file.read("w"); }, ErrorKind::Unsupported, {"foreign.safetensors", "'w'", type});
    expect_error([&] { file.read_rows("w", 0, 0); }, ErrorKind::Unsupported, {type});
  }
}

TEST(Safetensors, RefusesAShapeWhoseProductOverflows) {
  const TemporaryFolder folder;
  const std::string huge = std::to_string(uint64_t{1} << 48);
  write_text(folder / "t", with_header(entry("\"F32\"", "[" + huge + "," + huge + "]", "[0,4]"), kFour));
  EXPECT_THROW(SafetensorsFile(folder / "t"), Error);
}

// Reads all that a file of these bytes claims to hold. Returns whether it was sound.
bool loads(const std::string& bytes, const std::filesystem::path& path) {
  std::ofstream(path, std::ios::binary) << bytes;
  try {
    const SafetensorsFile file(path);
    for (const std::string& name : file.names()) (void)file.read(name);
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(Safetensors, NoTruncationLoads) {
  const TemporaryFolder folder;
  write_two(folder / "good", noise({2, 3}, 1), noise({4}, 2), {{"key", "value"}});
  const std::string good = read_text(folder / "good", 10000);
  for (size_t bytes = 0; bytes < good.size(); ++bytes) {
    EXPECT_FALSE(loads(good.substr(0, bytes), folder / "cut")) << bytes << " of " << good.size() << " bytes";
  }
  EXPECT_TRUE(loads(good, folder / "whole"));
}

TEST(Safetensors, AlteredBytesLoadOrAreRefused) {
  const TemporaryFolder folder;
  write_two(folder / "good", noise({2, 3}, 1), noise({4}, 2), {{"key", "value"}});
  const std::string good = read_text(folder / "good", 10000);
  std::mt19937 random(20240501);
  const std::string digits = "0123456789-.eE[]{}\",:\\u";
  int sound = 0, refused = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string bad = good;
    for (uint32_t edits = 1 + random() % 4; edits > 0; --edits) {
      const size_t at = random() % bad.size();
      const char with = random() % 2 ? digits[random() % digits.size()] : static_cast<char>(random());
      switch (random() % 3) {
        case 0:
          bad[at] = with;
          break;
        case 1:
          bad.insert(at, 1, with);
          break;
        default:
          bad.erase(at, 1);
      }
    }
    ++(loads(bad, folder / "bad") ? sound : refused);
  }
  EXPECT_GT(sound, 0);  // alterations of values alone
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace tyto
