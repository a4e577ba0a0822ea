#include "apps/bev/bev_folder.h"

#include <gtest/gtest.h>

#include "apps/bev/bev_journal.h"
#include "apps/bev/bev_run.h"
#include "apps/bev/sample_texts.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace tyto::apps {
namespace {

const BevLine kLine = {"a/ü",
                       "street",
                       3,
                       "raw/a_ü.safetensors",
                       {"grids/car/a.png", "grids/lane/a.png"},
                       "",
                       true,
                       {{"car", 7}, {"lane", 0}}};
const BevRun kRun = {R"({"a":1})",    false,
                     Shard{1, 3},     {{-50, -25, -10}, {0.5, 0.25, 20}, {200, 100, 1}, false, true},
                     {"car", "lane"}, {}};

TEST(BevFolder, LinesAndRunsComeBackAsTheyWere) {
  const std::string text = to_json_line(kLine);
  EXPECT_EQ(
      text,
      R"({"id":"a/ü","sequence":"street","index":3,"raw":"raw/a_ü.safetensors","grids":["grids/car/a.png",)"
      R"("grids/lane/a.png"],"calibration_changed":true,"cells":{"car":7,"lane":0}})");
  EXPECT_EQ(to_json_line(bev_line_from(text, "bev.jsonl", 1)), text);
  const TemporaryFolder folder;
  BevRun run = kRun;
  run.skipped = {{-1, "bad"}, {4, "worse"}};
  write_bev_run(folder / "", run);
  const BevRun read = read_bev_run(folder / "");
  EXPECT_EQ(read.identity, run.identity);
  EXPECT_EQ(read.finished, run.finished);
  EXPECT_EQ(read.shard, run.shard);
  EXPECT_EQ(read.grid, run.grid);
  EXPECT_EQ(read.classes, run.classes);
  EXPECT_EQ(read.skipped, run.skipped);
}

TEST(BevFolder, FilesOfALineLieBelowIt) {
  for (const char* name : {"/etc/passwd", "../x", "raw/../../x", "", ".", "raw/"}) {
    BevLine line = kLine;
    line.raw = name;
    expect_error([&] { bev_line_from(to_json_line(line), "out/bev.jsonl", 2); }, ErrorKind::Format,
                 {"out/bev.jsonl: line 2", "below its folder"});
  }
}

TEST(BevJournal, GoesOnBehindTheLastWholeLine) {
  const TemporaryFolder folder;
  BevLine second = kLine;
  second.id = "b";
  { BevJournal(folder / "", kRun, false).append(kLine); }
  const std::string whole = to_json_line(kLine) + '\n';
  for (const std::string& torn :
       {std::string(), to_json_line(second).substr(0, 40), std::string("{}\n"), to_json_line(second)}) {
    write_file(folder / "bev.jsonl", whole + torn);
    BevJournal journal(folder / "", kRun, true);
    EXPECT_EQ(journal.size(), 1);
    EXPECT_TRUE(journal.has(kLine.id));
    EXPECT_FALSE(journal.has("b"));
    EXPECT_EQ(std::filesystem::file_size(folder / "bev.jsonl"), whole.size());
  }
}

TEST(BevJournal, LosesNoRunThatWasStopped) {
  const TemporaryFolder folder;
  BevRun other = kRun;
  other.identity = R"({"a":2})";
  { BevJournal(folder / "", kRun, false).append(kLine); }
  expect_error([&] { BevJournal(folder / "", kRun, false); }, ErrorKind::Usage, {"bev.jsonl", "--resume"});
  expect_error([&] { BevJournal(folder / "", other, true); }, ErrorKind::Usage,
               {"run.json", "another model"});
  other = kRun;
  other.shard = Shard{2, 3};
  expect_error([&] { BevJournal(folder / "", other, true); }, ErrorKind::Usage, {"run.json"});
  BevJournal(folder / "", kRun, true).finish({});
  EXPECT_EQ(BevJournal(folder / "", kRun, true).size(), 1);
  BevJournal(folder / "", kRun, true).finish({});
  EXPECT_EQ(BevJournal(folder / "", kRun, false).size(), 0);  // a finished one may be replaced
}

TEST(BevTasks, HaveNamesOfTheirOwnAndKnowNewCalibrations) {
  std::vector<Sample> samples;
  for (const auto& [id, sequence, focal] : {std::tuple{"a/b", "s", 1.0},
                                            {"a_b", "t", 1.0},
                                            {"a b", "s", 1.0},
                                            {"c", "t", 2.0},
                                            {"d", "t", 2.0}}) {
    Sample sample{id, sequence};
    sample.cameras.push_back({"front"});
    sample.cameras[0].camera.intrinsics[0] = focal;
    samples.push_back(sample);
  }
  std::vector<std::string> outputs;
  std::vector<bool> changed;
  for (const BevTask& task : tasks_of(samples)) {
    EXPECT_EQ(task.index, static_cast<int64_t>(outputs.size()));
    outputs.push_back(task.output);
    changed.push_back(task.calibration_changed);
  }
  EXPECT_EQ(outputs, (std::vector<std::string>{"a_b", "a_b-2", "a_b-3", "c", "d"}));
  EXPECT_EQ(changed, (std::vector<bool>{true, true, false, true, false}));
}

}  // namespace
}  // namespace tyto::apps
