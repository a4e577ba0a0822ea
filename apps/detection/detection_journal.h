// detections.jsonl while it grows, and run.json beside it, by which a run that was stopped can go on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "apps/detection/detection_tally.h"
#include "apps/images/source.h"
#include "apps/journal.h"

namespace tyto::apps {

// A video that is done, as run.json tells.
struct FinishedVideo {
  int64_t frames = 0;   // lines
  std::string problem;  // what was wrong with it, or empty
};

// run.json: what the run computes, whether it is finished, and which of its videos are.
class DetectionJournal {
 public:
  // identity: a JSON object of all that decides what the lines say. With `resume` an existing file is read up
  // to the first line that is cut off, damaged or of a video that was under way, and cut there; Error{Usage}
  // if its identity is another. Without, lines of a run that was not finished are Error{Usage}, lest they be
  // lost, and those of a finished one are replaced. Error{File} where the folder cannot be written.
  // shown_from: of tally().
  DetectionJournal(const std::filesystem::path& folder, const std::string& identity, bool resume,
                   float shown_from);

  const std::filesystem::path& path() const { return path_; }  // of detections.jsonl
  const DetectionTally& tally() const { return tally_; }       // of all its lines
  int64_t size() const { return static_cast<int64_t>(images_.size()); }
  std::optional<ImageSize> size_of(const std::string& image) const;    // nothing: it has no line
  const FinishedVideo* finished_video(const std::string& name) const;  // nullptr: it is not

  void append(const ImageDetections&);
  void flush() { file_->flush(); }
  void finish_video(const std::string& name, const FinishedVideo& video);
  void finish();

 private:
  struct Line {
    std::string image, video;  // "clip.avi" for "clip.avi#120", empty for an image
    ImageSize size;
    uint64_t end = 0;  // byte of the file
  };

  std::vector<Line> whole_lines();
  bool read_state(const std::string& identity, bool resume);
  uint64_t read_lines();
  void forget_videos_without(const std::vector<Line>& lines);
  void write_state() const;

  std::filesystem::path path_, state_path_;
  std::string identity_;
  bool finished_ = false;
  std::map<std::string, FinishedVideo> videos_;
  std::unordered_map<std::string, ImageSize> images_;
  DetectionTally tally_;
  std::optional<Journal> file_;
};

}  // namespace tyto::apps
