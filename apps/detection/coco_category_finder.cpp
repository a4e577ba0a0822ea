#include "apps/detection/coco_category_finder.h"

#include <fmt/format.h>

#include "tyto/error.h"

namespace tyto::apps {

CocoCategoryFinder::CocoCategoryFinder(const CocoAnnotations& annotations) : annotations_(annotations) {
  std::vector<char> has_objects(annotations.categories.size());
  for (const CocoObject& object : annotations.objects)
    has_objects[static_cast<size_t>(object.category)] = true;
  for (const bool with_objects : {true, false})
    for (size_t i = 0; i < annotations.categories.size(); ++i) {
      const std::string& name = annotations.categories[i].name;
      if (name.empty() || has_objects[i] != with_objects) continue;
      Indices& indices = by_name_[name];
      const bool beaten =
          indices.first >= 0 && has_objects[static_cast<size_t>(indices.first)] && !with_objects;
      if (!beaten && indices.second < 0)
        (indices.first < 0 ? indices.first : indices.second) = static_cast<int>(i);
    }
}

void CocoCategoryFinder::see(const NamedDetection& d) {
  const auto named = by_name_.find(d.name);
  const bool known = named != by_name_.end();
  const int labelled = place_of_label(d);
  any_name_ |= known;
  all_names_ &= known;
  any_label_ |= labelled >= 0;
  all_labels_ &= labelled >= 0;
  agree_ &= !known || named->second.first == labelled || named->second.second == labelled;
}

bool CocoCategoryFinder::by_label_id() const {
  return !all_names_ && (!any_name_ || (all_labels_ && agree_)) && any_label_;
}

int CocoCategoryFinder::find(const NamedDetection& d) const {
  return by_label_id() ? place_of_label(d) : place_of_name(d.name);
}

int CocoCategoryFinder::place_of_name(const std::string& name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return -1;
  const auto [first, second] = found->second;
  if (second >= 0)
    throw Error(
        ErrorKind::Format,
        fmt::format("{}: the categories {} and {} are both called '{}', so a detected '{}' could be either; "
                    "rename one of them",
                    annotations_.file, json_of(annotations_.categories[static_cast<size_t>(first)].id),
                    json_of(annotations_.categories[static_cast<size_t>(second)].id), name, name));
  return first;
}

int CocoCategoryFinder::place_of_label(const NamedDetection& d) const {
  return static_cast<int>(index_of(int64_t{d.detection.label}, annotations_.categories));
}

}  // namespace tyto::apps
