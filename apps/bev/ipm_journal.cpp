#include "apps/bev/ipm_journal.h"

#include <fmt/format.h>

#include <fstream>

#include "files/file.h"
#include "files/json.h"
#include "files/json_object.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

constexpr uint64_t kMaxStateBytes = 1 << 20;
constexpr int kMaxNesting = 16;

}  // namespace

IpmJournal::IpmJournal(const std::filesystem::path& folder, const std::string& identity, bool resume)
    : lines_(folder / "ipm.jsonl"), state_(folder / "run.json"), identity_(identity) {
  const uint64_t keep = goes_on(resume) ? read_lines() : 0;
  write_state(false);
  file_.emplace(lines_, keep);
}

// Whether there are lines to go on with.
bool IpmJournal::goes_on(bool resume) const {
  std::error_code missing;
  const auto bytes = std::filesystem::file_size(lines_, missing);
  if (missing || bytes == 0 || !std::filesystem::exists(state_)) return false;
  const std::string where = state_.string() + ": its state";
  const ordered_json json = parse_json(read_text(state_, kMaxStateBytes), kMaxNesting, where);
  const JsonObject before(json, where);
  if (!resume) {
    if (before.get<bool>("finished")) return false;
    Journal::refuse_to_replace(lines_);
  }
  if (dump_json(before.at("identity")) != identity_) Journal::refuse_to_mix(state_);
  return true;
}

uint64_t IpmJournal::read_lines() {
  std::ifstream stream(lines_, std::ios::binary);
  uint64_t end = 0;
  for (std::string text; std::getline(stream, text) && !stream.eof(); end += text.size() + 1) {
    try {
      const ordered_json json = parse_json(text, kMaxNesting, lines_.string());
      done_.insert(JsonObject(json, lines_.string()).get<std::string>("id"));
    } catch (const Error&) {
      break;
    }
  }
  return end;
}

void IpmJournal::append(const IpmLine& line) {
  ordered_json json = {{"id", line.id}, {"sequence", line.sequence}, {"mosaics", ordered_json::array()}};
  for (const IpmLine::Picture& m : line.mosaics)
    json["mosaics"].push_back({{"height", m.height}, {"file", m.file}, {"seen", m.seen}});
  file_->append(dump_json(json) + '\n');
  file_->flush();
  done_.insert(line.id);
}

void IpmJournal::finish() { write_state(true); }

void IpmJournal::write_state(bool finished) const {
  const ordered_json json = {{"identity", ordered_json::parse(identity_)}, {"finished", finished}};
  write_text(state_, json.dump(2) + '\n');
}

}  // namespace tyto::apps
