#include "apps/detection/detection_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "apps/images/folder.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

const char* const kIdentity = R"({"model":"m"})";

ImageDetections image(const std::string& name) { return {name, 2, 3, {{"person", {1, 0.5f, 0, 0, 1, 1}}}}; }

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class Journal : public testing::Test {
 protected:
  void write(const std::vector<std::string>& names, const std::vector<std::string>& finished_videos,
             bool finish) {
    DetectionJournal journal(folder_.path(), kIdentity, false, 0.5f);
    for (const std::string& name : names) journal.append(image(name));
    journal.flush();
    for (const std::string& video : finished_videos) journal.finish_video(video, {2, video + " breaks off"});
    if (finish) journal.finish();
  }

  std::string refusal(const std::string& identity, bool resume) {
    try {
      DetectionJournal(folder_.path(), identity, resume, 0.5f);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::Usage);
      return e.what();
    }
    return {};
  }

  const TemporaryFolder folder_;
  const std::filesystem::path lines_ = folder_.path() / "detections.jsonl";
};

TEST_F(Journal, GoesOnAfterItsWholeLines) {
  write({"a.png", "b.png"}, {}, false);
  const std::string whole = text_of(lines_);
  const size_t first = whole.find('\n') + 1;
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    folder_.write("detections.jsonl", whole.substr(0, cut));
    DetectionJournal journal(folder_.path(), kIdentity, true, 0.5f);
    EXPECT_EQ(journal.size_of("a.png").has_value(), cut >= first);
    EXPECT_EQ(journal.size_of("b.png").has_value(), cut == whole.size());
    if (cut >= first) {
      EXPECT_EQ(journal.size_of("a.png")->width, 2);
      EXPECT_EQ(journal.size_of("a.png")->height, 3);
    }
    EXPECT_EQ(journal.tally().images, journal.size());
    for (const char* name : {"a.png", "b.png"})
      if (!journal.size_of(name)) journal.append(image(name));
    journal.flush();
    EXPECT_EQ(text_of(lines_), whole) << cut;
  }
}

TEST_F(Journal, DropsTheLinesOfAVideoThatWasUnderWay) {
  write({"a.png", "one.avi#0", "one.avi#5", "b#1.png", "two.avi#0"}, {"one.avi"}, false);
  const DetectionJournal journal(folder_.path(), kIdentity, true, 0.5f);
  EXPECT_EQ(journal.size(), 4);
  EXPECT_EQ(journal.tally().classes.at({"person", 1}).shown, 4);
  EXPECT_TRUE(journal.size_of("one.avi#5"));
  EXPECT_FALSE(journal.size_of("two.avi#0"));
  ASSERT_TRUE(journal.finished_video("one.avi"));
  EXPECT_EQ(journal.finished_video("one.avi")->problem, "one.avi breaks off");
  EXPECT_FALSE(journal.finished_video("two.avi"));
}

TEST_F(Journal, DropsAVideoThatLacksLines) {
  write({"a.png", "one.avi#0", "b.png", "two.avi#0", "two.avi#1"}, {"one.avi", "two.avi"}, false);
  const DetectionJournal journal(folder_.path(), kIdentity, true, 0.5f);
  EXPECT_EQ(journal.size(), 1);
  EXPECT_EQ(journal.tally().images, 1);
  EXPECT_TRUE(journal.size_of("a.png"));
  EXPECT_FALSE(journal.finished_video("one.avi"));
  EXPECT_FALSE(journal.finished_video("two.avi"));  // its lines went with those before
}

TEST_F(Journal, RefusesAnotherIdentity) {
  write({"a.png"}, {}, false);
  const std::string before = text_of(lines_);
  EXPECT_THAT(refusal(R"({"model":"n"})", true), testing::HasSubstr("another model"));
  EXPECT_EQ(text_of(lines_), before);
  EXPECT_EQ(refusal(kIdentity, true), "");
}

TEST_F(Journal, WithoutResumeReplacesFinishedRunsOnly) {
  write({"a.png"}, {}, false);
  const std::string before = text_of(lines_);
  EXPECT_THAT(refusal(kIdentity, false), testing::HasSubstr("--resume goes on with it"));
  EXPECT_EQ(text_of(lines_), before);
  std::filesystem::remove(lines_);
  write({"a.png"}, {}, true);
  EXPECT_EQ(refusal(kIdentity, false), "");
  EXPECT_EQ(text_of(lines_), "");
}

TEST_F(Journal, ResumesNothingThatIsNotItsOwn) {
  folder_.write("detections.jsonl", to_json_line(image("a.png")) + "\n");
  EXPECT_THAT(refusal(kIdentity, true), testing::HasSubstr("no run.json"));
  for (const char* state : {"", "{}", "[1]", "{\"identity\": {}, \"finished\": 3, \"videos\": {}}"}) {
    folder_.write("run.json", state);
    EXPECT_THROW(DetectionJournal(folder_.path(), kIdentity, true, 0.5f), Error) << state;
  }
}

}  // namespace
}  // namespace tyto::apps
