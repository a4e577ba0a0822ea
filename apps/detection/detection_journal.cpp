#include "apps/detection/detection_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include "apps/images/list.h"
#include "files/file.h"
#include "files/json.h"
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
  const ordered_json j = parse_json(read_text(path, kMaxStateBytes), kMaxNesting, path.string());
  try {
    State state{j.at("identity"), j.at("finished").get<bool>(), {}};
    for (const auto& [name, video] : j.at("videos").items())
      state.videos[name] = {video.at("frames").get<int64_t>(), video.at("problem").get<std::string>()};
    return state;
  } catch (const ordered_json::exception&) {
    throw Error(ErrorKind::Format, fmt::format("{}: not the state of a `tyto detect`", path.string()));
  }
}

}  // namespace

DetectionJournal::DetectionJournal(const std::filesystem::path& folder, const std::string& identity,
                                   bool resume)
    : path_(folder / "detections.jsonl"), state_path_(folder / "run.json"), identity_(identity) {
  const bool go_on = read_state(identity, resume);
  if (go_on) read_lines();
  write_state();
  file_ = std::fopen(path_.c_str(), go_on ? "ab" : "wb");
  if (!file_)
    throw Error(ErrorKind::File, fmt::format("{}: cannot write: {}", path_.string(), std::strerror(errno)));
}

DetectionJournal::~DetectionJournal() {
  if (file_) std::fclose(file_);
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
    throw Error(
        ErrorKind::Usage,
        fmt::format("{} holds images of a run that was stopped; --resume goes on with it, or delete it",
                    path_.string()));
  }
  if (dump_json(state.identity) != identity)
    throw Error(
        ErrorKind::Usage,
        fmt::format("{} belongs to a run with another model, other options or other inputs; repeat those, or "
                    "leave out --resume and name another folder",
                    state_path_.string()));
  videos_ = std::move(state.videos);
  return true;
}

// Up to the first line that is cut off or damaged.
std::vector<DetectionJournal::Line> DetectionJournal::whole_lines(const std::filesystem::path& path) {
  std::vector<Line> lines;
  std::ifstream stream(path, std::ios::binary);
  uint64_t end = 0;
  std::string text;
  for (int64_t number = 1; std::getline(stream, text) && !stream.eof(); ++number) {
    end += text.size() + 1;
    try {
      const std::string image = from_json_line(text, path, number).image;
      lines.push_back({image, video_of(image), end});
    } catch (const Error&) {
      break;
    }
  }
  return lines;
}

void DetectionJournal::read_lines() {
  std::vector<Line> lines = whole_lines(path_);
  forget_videos_without(lines);  // a power failure may have left run.json newer than the lines
  const auto under_way = std::ranges::find_if(
      lines, [this](const Line& line) { return !line.video.empty() && !videos_.contains(line.video); });
  lines.erase(under_way, lines.end());
  forget_videos_without(lines);  // of those behind it
  for (const Line& line : lines) images_.insert(line.image);
  std::filesystem::resize_file(path_, lines.empty() ? 0 : lines.back().end);
}

void DetectionJournal::forget_videos_without(const std::vector<Line>& lines) {
  std::map<std::string, int64_t> frames;
  for (const Line& line : lines) ++frames[line.video];
  std::erase_if(videos_, [&](const auto& video) { return frames[video.first] != video.second.frames; });
}

const FinishedVideo* DetectionJournal::finished_video(const std::string& name) const {
  const auto it = videos_.find(name);
  return it == videos_.end() ? nullptr : &it->second;
}

void DetectionJournal::append(const ImageDetections& image) {
  const std::string line = to_json_line(image) + '\n';
  if (std::fwrite(line.data(), 1, line.size(), file_) != line.size())
    throw Error(ErrorKind::File, fmt::format("{}: cannot write: {}", path_.string(), std::strerror(errno)));
  images_.insert(image.image);
}

void DetectionJournal::flush() {
  if (std::fflush(file_) != 0)
    throw Error(ErrorKind::File, fmt::format("{}: cannot write: {}", path_.string(), std::strerror(errno)));
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
