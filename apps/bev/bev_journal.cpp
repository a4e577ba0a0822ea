#include "apps/bev/bev_journal.h"

#include <fmt/format.h>

#include <fstream>
#include <utility>

#include "tyto/error.h"

namespace tyto::apps {

BevJournal::BevJournal(const std::filesystem::path& folder, BevRun run, bool resume)
    : folder_(folder), run_(std::move(run)) {
  const uint64_t keep = goes_on(resume) ? read_lines() : 0;
  write_bev_run(folder_, run_);
  file_.emplace(folder_ / "bev.jsonl", keep);
}

// Whether there are lines to go on with.
bool BevJournal::goes_on(bool resume) const {
  const std::filesystem::path lines = folder_ / "bev.jsonl", state = folder_ / "run.json";
  std::error_code missing;
  const auto bytes = std::filesystem::file_size(lines, missing);
  if (missing || bytes == 0) return false;
  if (!std::filesystem::exists(state)) {
    if (!resume) return false;
    throw Error(ErrorKind::Usage,
                fmt::format("{} has no run.json beside it, which says how it was made; leave "
                            "out --resume to replace it",
                            lines.string()));
  }
  const BevRun before = read_bev_run(folder_);
  if (!resume) {
    if (before.finished) return false;
    Journal::refuse_to_replace(lines);
  }
  if (before.identity != run_.identity || before.shard != run_.shard) Journal::refuse_to_mix(state);
  return true;
}

uint64_t BevJournal::read_lines() {
  const std::filesystem::path path = folder_ / "bev.jsonl";
  std::ifstream stream(path, std::ios::binary);
  uint64_t end = 0;
  std::string text;
  for (int64_t number = 1; std::getline(stream, text) && !stream.eof(); ++number) {
    try {
      done_.insert(bev_line_from(text, path, number).id);
    } catch (const Error&) {
      break;
    }
    end += text.size() + 1;
  }
  return end;
}

void BevJournal::append(const BevLine& line) {
  file_->append(to_json_line(line) + '\n');
  done_.insert(line.id);
}

void BevJournal::finish(std::vector<SkippedSample> skipped) {
  run_.finished = true;
  run_.skipped = std::move(skipped);
  write_bev_run(folder_, run_);
}

}  // namespace tyto::apps
