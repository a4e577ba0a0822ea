#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <unordered_map>

#include "apps/detection/image_tally.h"
#include "apps/detection/json_element.h"
#include "engine/file.h"

namespace tyto::apps {
namespace {

namespace fs = std::filesystem;

std::string last_component(const std::string& path) { return fs::path(path).filename().string(); }

// Finds the image that a path means.
class ImageFinder {
 public:
  explicit ImageFinder(const CocoAnnotations& annotations) : annotations_(annotations) {
    for (size_t i = 0; i < annotations.images.size(); ++i)
      by_name_[last_component(annotations.images[i].file_name)].push_back(static_cast<int64_t>(i));
  }

  int64_t find(const std::string& path) const {
    const auto found = by_name_.find(last_component(path));
    if (found == by_name_.end()) return by_number(path);
    if (found->second.size() == 1) return found->second.front();
    return longest_end(path, found->second);
  }

 private:
  // Of images with one name in several folders, the one whose file_name is the end of the path; -1 without.
  int64_t longest_end(const std::string& path, const std::vector<int64_t>& places) const {
    int64_t best = -1;
    size_t length = 0;
    for (const int64_t place : places) {
      const std::string& name = annotations_.images[static_cast<size_t>(place)].file_name;
      const bool ends = path.ends_with(name) && (path.size() == name.size() || path.ends_with('/' + name));
      if (!ends || name.size() <= length) continue;
      best = place;
      length = name.size();
    }
    return best;
  }

  int64_t by_number(const std::string& path) const {
    const std::string stem = fs::path(path).stem().string();
    int64_t id = 0;
    const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), id);
    if (error != std::errc() || end != stem.data() + stem.size()) return -1;
    return place_of(id, annotations_.images);
  }

  const CocoAnnotations& annotations_;
  std::unordered_map<std::string, std::vector<int64_t>> by_name_;
};

struct Line {
  ImageDetections image;
  std::string file;
};

// By name if every name is a category's, else by label_id if every label_id is.
class CategoryFinder {
 public:
  CategoryFinder(const std::vector<Line>& lines, const CocoAnnotations& annotations) : a_(annotations) {
    for (size_t i = 0; i < a_.categories.size(); ++i)
      by_name_.emplace(a_.categories[i].name, static_cast<int>(i));
    const NamedDetection* nameless = nullptr;
    for (const Line& line : lines)
      for (const NamedDetection& d : line.image.detections) {
        if (by_name_.count(d.name) == 0) nameless = nameless ? nameless : &d;
      }
    by_label_id_ = nameless != nullptr;
    if (!by_label_id_) return;
    for (const Line& line : lines)
      for (const NamedDetection& d : line.image.detections)
        if (place_of(d.detection.label, a_.categories) < 0)
          throw Error(
              ErrorKind::Format,
              fmt::format("{}: no category is called '{}', and none has the id {} of the detected '{}'",
                          a_.file, nameless->name, d.detection.label, d.name));
  }

  bool by_label_id() const { return by_label_id_; }

  int find(const NamedDetection& d) const {
    return by_label_id_ ? static_cast<int>(place_of(d.detection.label, a_.categories)) : by_name_.at(d.name);
  }

 private:
  const CocoAnnotations& a_;
  std::unordered_map<std::string, int> by_name_;
  bool by_label_id_ = false;
};

void match_lines(const std::vector<Line>& lines, const CocoAnnotations& annotations, ImageTally& tally,
                 MatchedDetections& matched) {
  const ImageFinder images(annotations);
  const CategoryFinder categories(lines, annotations);
  matched.by_label_id = categories.by_label_id();
  for (const auto& [line, file] : lines) {
    const int64_t image = images.find(line.image);
    tally.add_line(image, line, file);
    if (image < 0) continue;
    for (const NamedDetection& d : line.detections)
      matched.boxes.push_back(scored_box(d.detection, image, categories.find(d), line, file));
  }
}

void match_results(const std::string& file, const CocoAnnotations& annotations, ImageTally& tally,
                   MatchedDetections& matched) {
  const nlohmann::ordered_json results = read_coco_json(file);
  for (size_t i = 0; i < results.size(); ++i) {
    const JsonElement result(results[i], file, "result", i);
    const int64_t id = result.integer("image_id"), image = place_of(id, annotations.images);
    const int64_t category = place_of(result.integer("category_id"), annotations.categories);
    if (category < 0)
      result.fail(fmt::format("has the category_id {}, which {} does not hold", result.integer("category_id"),
                              annotations.file));
    const auto [x, y, width, height] = result.box("bbox");
    const double score = result.number("score");
    tally.add_result(image, id);
    if (image >= 0) matched.boxes.push_back({image, static_cast<int>(category), x, y, width, height, score});
  }
}

// A line of a detections.jsonl begins with a brace.
bool is_json_array(const std::string& path) {
  const File file(path);
  std::string start(std::min<uint64_t>(file.size(), 4096), '\0');
  file.read(0, std::as_writable_bytes(std::span(start)));
  const size_t first = start.find_first_not_of(" \t\r\n");
  return first != std::string::npos && start[first] == '[';
}

}  // namespace

MatchedDetections match_to_coco(const std::vector<std::string>& files, const CocoAnnotations& annotations) {
  std::vector<std::string> names;
  for (const CocoImage& image : annotations.images) names.push_back(image.file_name);
  ImageTally tally(std::move(names), annotations.file);
  MatchedDetections matched;
  std::vector<Line> lines;
  for (const std::string& file : files) {
    if (is_json_array(file))
      match_results(file, annotations, tally, matched);
    else
      for (ImageDetections& image : read_detections(file)) lines.push_back({std::move(image), file});
  }
  match_lines(lines, annotations, tally, matched);
  tally.finish(matched);
  return matched;
}

}  // namespace tyto::apps
