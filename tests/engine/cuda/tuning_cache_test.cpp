// The file in which autotuning keeps what it found; no GPU is needed to read and write it.
#include "engine/cuda/cudnn/tuning_cache.h"

#include <gtest/gtest.h>

#include <thread>

#include "files/file.h"
#include "support/temporary_folder.h"

namespace tyto::cuda {
namespace {

constexpr const char *kMachine = "NVIDIA H100, sm_90, driver 13.0, cuDNN 9.19.0, cuBLASLt 13.0.0",
                     *kOther = "NVIDIA A100, sm_80, driver 13.0, cuDNN 9.19.0, cuBLASLt 13.0.0";

class TuningCacheTest : public testing::Test {
 protected:
  TuningCache open(const std::string& machine = kMachine) {
    return TuningCache(file, machine, [this](const std::string& text) { notices.push_back(text); });
  }
  std::string text() const { return read_text(file, 1 << 20); }

  // What is there is ignored with one notice that says so, and survives what is tuned later.
  void expect_ignored(const std::string& content, const std::string& word) {
    notices.clear();
    write_text(file, content);
    TuningCache cache = open();
    EXPECT_EQ(cache.find("convolution"), std::nullopt);
    cache.keep("convolution", "engine 1");
    cache.keep("other", "engine 2");
    EXPECT_EQ(cache.find("convolution"), "engine 1");  // in memory
    EXPECT_EQ(text(), content);
    ASSERT_EQ(notices.size(), 1u) << content;
    EXPECT_NE(notices[0].find(file.string()), std::string::npos) << notices[0];
    EXPECT_NE(notices[0].find(word), std::string::npos) << notices[0];
    EXPECT_EQ(notices[0].find('\n'), std::string::npos) << notices[0];
  }

  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "tuning.json";
  std::vector<std::string> notices;
};

TEST_F(TuningCacheTest, FindsWhatAnEarlierRunKept) {
  open().keep("fp16 convolution 8x56x56x64", "engine 38 {2:1}");
  const TuningCache later = open();
  EXPECT_EQ(later.find("fp16 convolution 8x56x56x64"), "engine 38 {2:1}");
  EXPECT_EQ(later.find("fp32 convolution 8x56x56x64"), std::nullopt);
  EXPECT_TRUE(notices.empty());
  EXPECT_EQ(folder.files(), 1);  // no temporary file is left
}

TEST_F(TuningCacheTest, TakesTheLaterChoice) {
  TuningCache cache = open();
  cache.keep("a", "engine 1");
  cache.keep("a", "engine 2");
  EXPECT_EQ(cache.find("a"), "engine 2");
  EXPECT_EQ(open().find("a"), "engine 2");
}

TEST_F(TuningCacheTest, KeepsMachinesApart) {
  open(kOther).keep("a", "engine 1");
  EXPECT_TRUE(notices.empty());
  TuningCache cache = open();
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_NE(notices[0].find(kOther), std::string::npos) << notices[0];
  EXPECT_NE(notices[0].find(kMachine), std::string::npos) << notices[0];
  EXPECT_EQ(cache.find("a"), std::nullopt);
  cache.keep("a", "engine 2");
  EXPECT_EQ(open().find("a"), "engine 2");
  EXPECT_EQ(open(kOther).find("a"), "engine 1");
  EXPECT_EQ(notices.size(), 1u);
}

TEST_F(TuningCacheTest, IgnoresAndKeepsWhatItCannotRead) {
  expect_ignored("", "not valid JSON");
  expect_ignored("tuning", "not valid JSON");
  expect_ignored("[1, 2]", "not a JSON object");
  expect_ignored(R"({"boxes": [1, 2]})", "no \"tyto_tuning_cache\"");
  expect_ignored(R"({"tyto_tuning_cache": "1", "machines": {}})", "not a whole number");
  expect_ignored(R"({"tyto_tuning_cache": 0, "machines": {}})", "not a whole number");
  expect_ignored(R"({"tyto_tuning_cache": 2, "machines": {}})", "newer");
  expect_ignored(R"({"tyto_tuning_cache": 18446744073709551615, "machines": {}})", "newer");
  expect_ignored(R"({"tyto_tuning_cache": 1})", "machines");
  expect_ignored(R"({"tyto_tuning_cache": 1, "machines": []})", "machines");
  expect_ignored(R"({"tyto_tuning_cache": 1, "machines": {"H100": "fast"}})", "machines");
  expect_ignored(R"({"tyto_tuning_cache": 1, "machines": {"H100": {"convolution": 5}}})", "machines");
  expect_ignored(std::string(100'000, '['), "nested");
}

TEST_F(TuningCacheTest, IgnoresATruncatedFile) {
  open().keep("convolution", "engine 38");
  open(kOther).keep("convolution", "engine 39");
  const std::string whole = text();
  for (size_t length = 0; length + 2 < whole.size(); length += 7)
    expect_ignored(whole.substr(0, length), "not valid JSON");
}

TEST_F(TuningCacheTest, IgnoresAFolderAndWhatCannotBeWritten) {
  std::filesystem::create_directory(file);
  TuningCache cache = open();
  cache.keep("a", "engine 1");
  EXPECT_EQ(cache.find("a"), "engine 1");
  EXPECT_EQ(notices.size(), 1u);

  notices.clear();
  TuningCache below_a_file(std::filesystem::path("/dev/null/tuning.json"), kMachine,
                           [this](const std::string& text) { notices.push_back(text); });
  below_a_file.keep("a", "engine 1");
  below_a_file.keep("b", "engine 1");
  EXPECT_EQ(below_a_file.find("a"), "engine 1");
  EXPECT_EQ(notices.size(), 1u);
}

TEST_F(TuningCacheTest, MakesItsFolder) {
  TuningCache(folder / "deep" / "er.json", kMachine, {}).keep("a", "engine 1");
  EXPECT_EQ(TuningCache(folder / "deep" / "er.json", kMachine, {}).find("a"), "engine 1");
}

TEST_F(TuningCacheTest, LivesInMemoryWithoutAFile) {
  TuningCache cache({}, kMachine, {});
  cache.keep("a", "engine 1");
  EXPECT_EQ(cache.find("a"), "engine 1");
}

TEST_F(TuningCacheTest, AddsToWhatOtherProcessesWrote) {
  TuningCache first = open(), second = open();
  first.keep("a", "engine 1");
  second.keep("b", "engine 2");
  first.keep("c", "engine 3");
  const TuningCache all = open();
  EXPECT_EQ(all.find("a"), "engine 1");
  EXPECT_EQ(all.find("b"), "engine 2");
  EXPECT_EQ(all.find("c"), "engine 3");
}

// Several GPUs of one process share the file, as do several processes.
TEST_F(TuningCacheTest, LosesNothingWhenManyWrite) {
  constexpr int kWriters = 4, kWrites = 25;
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < kWriters; ++w)
      writers.emplace_back([this, w] {
        TuningCache cache(file, kMachine, {});
        for (int i = 0; i < kWrites; ++i) cache.keep(std::to_string(w) + "." + std::to_string(i), "engine");
      });
    for (int i = 0; i < 100; ++i) open();
  }
  EXPECT_TRUE(notices.empty()) << notices[0];
  const TuningCache all = open();
  for (int w = 0; w < kWriters; ++w)
    for (int i = 0; i < kWrites; ++i)
      EXPECT_EQ(all.find(std::to_string(w) + "." + std::to_string(i)), "engine") << w << " " << i;
}

}  // namespace
}  // namespace tyto::cuda
