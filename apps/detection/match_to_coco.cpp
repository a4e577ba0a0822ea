#include <fmt/format.h>

#include <algorithm>

#include "apps/detection/coco_category_finder.h"
#include "apps/detection/coco_image_finder.h"
#include "apps/detection/coverage_check.h"
#include "apps/detection/json_element.h"
#include "files/file.h"
#include "files/utf8.h"

namespace tyto::apps {
namespace {

struct Line {
  ImageDetections image;
  std::string file;
};

void match_lines(const std::vector<Line>& lines, const CocoAnnotations& annotations, CoverageCheck& coverage,
                 MatchedDetections& matched) {
  const CocoImageFinder images(annotations);
  CocoCategoryFinder categories(annotations);
  const NamedDetection* first = nullptr;
  for (const Line& line : lines)
    for (const NamedDetection& d : line.image.detections) {
      categories.see(d);
      if (!first) first = &d;
    }
  if (first && !categories.any_known())
    throw Error(
        ErrorKind::Format,
        fmt::format("{}: none of the detected classes is one of its categories, by name or by label_id; the "
                    "first is '{}', {}",
                    annotations.file, first->name, first->detection.label));
  matched.by_label_id = categories.by_label_id();
  for (const auto& [line, file] : lines) {
    const int64_t image = images.find(line.image);
    coverage.add_line(image, line, file);
    if (image < 0) continue;
    for (const NamedDetection& d : line.detections) {
      const int category = categories.find(d);
      if (category < 0)
        matched.unknown_classes.add(d.name);
      else
        matched.boxes.push_back(scored_box(d.detection, image, category, line, file));
    }
  }
}

void match_results(const std::string& file, const CocoAnnotations& annotations, CoverageCheck& coverage,
                   MatchedDetections& matched) {
  const nlohmann::ordered_json results = read_coco_json(file);
  for (size_t i = 0; i < results.size(); ++i) {
    const JsonElement result(results[i], file, "result", i);
    const int64_t image = referred_place(result, "image_id", annotations.images);
    const int64_t category = referred_place(result, "category_id", annotations.categories);
    const auto [x, y, width, height] = result.box("bbox");
    const double score = result.number("score");
    coverage.add_result(image, result.id("image_id"));
    if (image < 0) continue;
    if (category < 0)
      matched.unknown_classes.add(json_of(result.id("category_id")));
    else
      matched.boxes.push_back({image, static_cast<int>(category), x, y, width, height, score});
  }
}

// A line of a detections.jsonl begins with a brace.
bool is_json_array(const std::string& path) {
  const File file(path);
  std::string start(std::min<uint64_t>(file.size(), 4096), '\0');
  file.read(0, std::as_writable_bytes(std::span(start)));
  take_off_mark(start, path);
  const size_t first = start.find_first_not_of(" \t\r\n");
  return first != std::string::npos && start[first] == '[';
}

}  // namespace

MatchedDetections match_to_coco(const std::vector<std::string>& files, const CocoAnnotations& annotations) {
  std::vector<std::string> names;
  for (const CocoImage& image : annotations.images) names.push_back(image.shown());
  CoverageCheck coverage(std::move(names), annotations.file);
  MatchedDetections matched;
  std::vector<Line> lines;
  for (const std::string& file : files) {
    if (is_json_array(file))
      match_results(file, annotations, coverage, matched);
    else
      for (ImageDetections& image : read_detections(file)) lines.push_back({std::move(image), file});
  }
  match_lines(lines, annotations, coverage, matched);
  coverage.finish(matched);
  return matched;
}

}  // namespace tyto::apps
