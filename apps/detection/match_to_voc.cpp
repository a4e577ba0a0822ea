#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "apps/detection/coverage_check.h"

namespace tyto::apps {
namespace {

int category_of(const std::string& name, const VocAnnotations& annotations) {
  const auto& names = annotations.categories;
  const auto found = std::lower_bound(names.begin(), names.end(), name);
  return found != names.end() && *found == name ? static_cast<int>(found - names.begin()) : -1;
}

}  // namespace

MatchedDetections match_to_voc(const std::vector<std::string>& files, const VocAnnotations& annotations) {
  std::unordered_map<std::string, int64_t> indices;
  for (size_t i = 0; i < annotations.images.size(); ++i)
    indices.emplace(annotations.images[i], static_cast<int64_t>(i));

  MatchedDetections matched;
  CoverageCheck coverage(annotations.images, annotations.folder);
  bool any_name_known = false;
  for (const std::string& file : files)
    for (const ImageDetections& line : read_detections(file)) {
      const auto found = indices.find(std::filesystem::path(line.image).stem().string());
      const int64_t image = found == indices.end() ? -1 : found->second;
      coverage.add_line(image, line, file);
      for (const NamedDetection& d : line.detections) {
        const int category = category_of(d.name, annotations);
        if (category < 0)
          matched.unknown_classes.add(d.name);
        else
          any_name_known = true;
        if (image >= 0 && category >= 0)
          matched.boxes.push_back(scored_box(d.detection, image, category, line, file));
      }
    }
  coverage.finish(matched);
  if (!any_name_known && !matched.unknown_classes.empty())
    throw Error(
        ErrorKind::Format,
        fmt::format("{} has no object of a detected class, of which the first is '{}'; VOC's classes are "
                    "matched by name, so the model needs theirs (`tyto convert --classes`)",
                    annotations.folder, matched.unknown_classes.missing().front()));
  return matched;
}

}  // namespace tyto::apps
