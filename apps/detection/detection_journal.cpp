#include "apps/detection/detection_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <utility>
#include <vector>

#include "apps/images/list.h"
#include "files/file.h"
#include "files/json.h"
#include "files/json_object.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

constexpr uint64_t kMaxStateBytes = 64 << 20;
constexpr int kMaxNesting = 16;

// "clip.avi" of "clip.avi#120"; empty for an image.
std::string video_of(const std::string& image) {
  const size_t mark = image.rfind('#');
  if (mark == std::string::npos || !is_video_name(image.substr(0, mark))) return {};
  return image.substr(0, mark);
}

bool has_lines(const std::filesystem::path& path) {
  std::error_code missing;
  const auto bytes = std::filesystem::file_size(path, missing);
  return !missing && bytes > 0;
}

struct State {
  ordered_json identity;
  bool finished = false;
  std::map<std::string, FinishedVideo> videos;
};

State parse_state(const std::filesystem::path& path) {
  const std::string where = path.string() + ": its state";
  const ordered_json json = parse_json(read_text(path, kMaxStateBytes), kMaxNesting, where);
  const JsonObject root(json, where);
  State state{root.at("identity"), root.get<bool>("finished"), {}};
  for (const auto& item : root.object("videos").value().items()) {
    const JsonObject video(item.value(), where);
    state.videos[item.key()] = {video.get<int64_t>("frames"), video.get<std::string>("problem")};
  }
  return state;
}

}  // namespace

DetectionJournal::DetectionJournal(const std::filesystem::path& folder, const std::string& identity,
                                   bool resume, float shown_from)
    : path_(folder / "detections.jsonl"), state_path_(folder / "run.json"), identity_(identity) {
  tally_.shown_from = shown_from;
  const uint64_t keep = read_state(identity, resume) ? read_lines() : 0;
  write_state();
  file_.emplace(path_, keep);
}

// Whether there are lines to go on with.
bool DetectionJournal::read_state(const std::string& identity, bool resume) {
  if (!has_lines(path_)) return false;
  if (!std::filesystem::exists(state_path_)) {
    if (!resume) return false;
    throw Error(ErrorKind::Usage,
                fmt::format("{} has no run.json beside it, which says how it was made; leave out "
                            "--resume to replace it",
                            path_.string()));
  }
  State state = parse_state(state_path_);
  if (!resume) {
    if (state.finished) return false;
    Journal::refuse_to_replace(path_);
  }
  if (dump_json(state.identity) != identity) Journal::refuse_to_mix(state_path_);
  videos_ = std::move(state.videos);
  return true;
}

// Up to the first line that is cut off or damaged.
std::vector<DetectionJournal::Line> DetectionJournal::whole_lines() {
  std::vector<Line> lines;
  std::ifstream stream(path_, std::ios::binary);
  uint64_t end = 0;
  std::string text;
  for (int64_t number = 1; std::getline(stream, text) && !stream.eof(); ++number) {
    end += text.size() + 1;
    try {
      const ImageDetections image = from_json_line(text, path_, number);
      lines.push_back({image.image, video_of(image.image), {image.width, image.height}, end});
      tally_.add(image);
    } catch (const Error&) {
      break;
    }
  }
  return lines;
}

// Returns at what byte the lines end that the run goes on with.
uint64_t DetectionJournal::read_lines() {
  std::vector<Line> lines = whole_lines();
  forget_videos_without(lines);  // a power failure may have left run.json newer than the lines
  const auto under_way = std::ranges::find_if(
      lines, [this](const Line& line) { return !line.video.empty() && !videos_.contains(line.video); });
  const auto kept = static_cast<size_t>(under_way - lines.begin());
  if (kept < lines.size()) {
    lines.resize(kept);
    forget_videos_without(lines);  // of those behind it
    tally_ = {.shown_from = tally_.shown_from};
    std::ifstream stream(path_, std::ios::binary);
    std::string text;
    for (size_t i = 0; i < kept && std::getline(stream, text); ++i)
      tally_.add(from_json_line(text, path_, static_cast<int64_t>(i) + 1));
  }
  for (const Line& line : lines) images_[line.image] = line.size;
  return lines.empty() ? 0 : lines.back().end;
}

void DetectionJournal::forget_videos_without(const std::vector<Line>& lines) {
  std::map<std::string, int64_t> frames;
  for (const Line& line : lines) ++frames[line.video];
  std::erase_if(videos_, [&](const auto& video) { return frames[video.first] != video.second.frames; });
}

std::optional<ImageSize> DetectionJournal::size_of(const std::string& image) const {
  const auto it = images_.find(image);
  return it == images_.end() ? std::nullopt : std::optional(it->second);
}

const FinishedVideo* DetectionJournal::finished_video(const std::string& name) const {
  const auto it = videos_.find(name);
  return it == videos_.end() ? nullptr : &it->second;
}

void DetectionJournal::append(const ImageDetections& image) {
  file_->append(to_json_line(image) + '\n');
  images_[image.image] = {image.width, image.height};
  tally_.add(image);
}

void DetectionJournal::finish_video(const std::string& name, const FinishedVideo& video) {
  videos_[name] = video;
  write_state();
}

void DetectionJournal::finish() {
  finished_ = true;
  write_state();
}

void DetectionJournal::write_state() const {
  ordered_json videos = ordered_json::object();
  for (const auto& [name, video] : videos_)
    videos[name] = {{"frames", video.frames}, {"problem", video.problem}};
  const ordered_json state = {
      {"identity", ordered_json::parse(identity_)}, {"finished", finished_}, {"videos", videos}};
  write_text(state_path_, state.dump(2) + '\n');
}

}  // namespace tyto::apps
