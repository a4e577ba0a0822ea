// ipm.jsonl while it grows, and run.json beside it, by which a run that was stopped can go on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "apps/journal.h"

namespace tyto::apps {

// {"id": "0017", "sequence": "street", "mosaics": [{"height": 0.0, "file": "mosaics/0017.png", "seen":
// 0.93}]}
struct IpmLine {
  struct Picture {
    double height = 0;  // metres
    std::string file;   // its name below the folder
    double seen = 0;    // part of the cells that a camera sees
  };
  std::string id, sequence;
  std::vector<Picture> mosaics;  // of each height
};

class IpmJournal {
 public:
  // identity: a JSON object of all that decides the lines. With `resume` those of a run of the same identity
  // are kept up to the first that is cut off or damaged; Error{Usage} for another's. Without, lines of a run
  // that was not finished are Error{Usage}, lest they be lost, and those of a finished one are replaced.
  // Error{File} where the folder cannot be written.
  IpmJournal(const std::filesystem::path& folder, const std::string& identity, bool resume);

  int64_t size() const { return static_cast<int64_t>(done_.size()); }  // samples that have a line
  bool has(const std::string& id) const { return done_.contains(id); }

  void append(const IpmLine&);  // at once with the operating system
  void finish();

 private:
  bool goes_on(bool resume) const;
  uint64_t read_lines();  // returns at what byte those end that are whole
  void write_state(bool finished) const;

  std::filesystem::path lines_, state_;
  std::string identity_;
  std::unordered_set<std::string> done_;
  std::optional<Journal> file_;
};

}  // namespace tyto::apps
