#include "apps/detection/coverage_check.h"

#include <fmt/format.h>

namespace tyto::apps {

CoverageCheck::CoverageCheck(std::vector<std::string> names, std::string where)
    : names_(std::move(names)), where_(std::move(where)), seen_(names_.size()) {}

void CoverageCheck::add_line(int64_t index, const ImageDetections& line, const std::string& file) {
  any_line_ = true;
  if (index < 0) return add_unknown(line.image);
  any_known_ = true;
  char& seen = seen_[static_cast<size_t>(index)];
  if (seen)
    throw Error(ErrorKind::Format, fmt::format("{}: '{}' is one line too many about the image {} of {}", file,
                                               line.image, names_[static_cast<size_t>(index)], where_));
  seen = true;
}

void CoverageCheck::add_result(int64_t index, const CocoId& image_id) {
  if (index < 0) return add_unknown(json_of(image_id));
  any_known_ = true;
}

void CoverageCheck::add_unknown(const std::string& name) {
  if (unknown_set_.insert(name).second) unknown_.push_back(name);
}

void CoverageCheck::finish(MatchedDetections& matched) const {
  if (!any_known_ && !unknown_.empty())
    throw Error(
        ErrorKind::Format,
        fmt::format("{} knows none of the {} detected images, of which the first is '{}'; are these the "
                    "annotations of the same images?",
                    where_, unknown_.size(), unknown_.front()));
  matched.unknown_images = unknown_;
  if (!any_line_) return;
  for (size_t i = 0; i < names_.size(); ++i)
    if (!seen_[i]) matched.images_without_results.push_back(names_[i]);
}

ScoredBox scored_box(const Detection& d, int64_t image, int category, const ImageDetections& line,
                     const std::string& file) {
  if (d.width < 0 || d.height < 0)
    throw Error(ErrorKind::Format, fmt::format("{}: '{}' has a box of negative size", file, line.image));
  return {image, category, d.x, d.y, d.width, d.height, d.score};
}

}  // namespace tyto::apps
