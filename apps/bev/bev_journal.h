// bev.jsonl while it grows, and run.json beside it, by which a run that was stopped can go on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "apps/bev/bev_folder.h"
#include "apps/journal.h"

namespace tyto::apps {

class BevJournal {
 public:
  // run: as it is to be, not finished. With `resume` the lines of a run of the same identity and shard are
  // kept up to the first that is cut off or damaged; Error{Usage} for another's. Without, lines of a run that
  // was not finished are Error{Usage}, lest they be lost, and those of a finished one are replaced.
  // Error{File} where the folder cannot be written.
  BevJournal(const std::filesystem::path& folder, BevRun run, bool resume);

  int64_t size() const { return static_cast<int64_t>(done_.size()); }  // samples that have a line
  bool has(const std::string& id) const { return done_.contains(id); }

  void append(const BevLine&);
  void flush() { file_->flush(); }
  void finish(std::vector<SkippedSample> skipped);

 private:
  bool goes_on(bool resume) const;
  uint64_t read_lines();  // returns at what byte those end that are whole

  std::filesystem::path folder_;
  BevRun run_;
  std::unordered_set<std::string> done_;
  std::optional<Journal> file_;
};

}  // namespace tyto::apps
