#include "apps/detection/coco_annotations.h"

#include <fmt/format.h>

#include <unordered_set>

#include "apps/detection/json_element.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

// Calls visit(element) for every element of root[list].
template <class Visit>
void for_each(const ordered_json& root, const char* list, const std::string& file, Visit&& visit) {
  const auto found = root.find(list);
  if (found == root.end() || !found->is_array())
    throw Error(ErrorKind::Format,
                fmt::format("{} has no list '{}'; COCO's instances files have one", file, list));
  for (size_t i = 0; i < found->size(); ++i) visit(JsonElement((*found)[i], file, list, i));
}

// Of entries with one id the last counts, as in pycocotools.
template <class Entry>
void sort_by_id(std::vector<Entry>& entries, const char* what, LeftOut& repeated) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.id < b.id; });
  size_t kept = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i + 1 < entries.size() && entries[i].id == entries[i + 1].id)
      repeated.add(fmt::format("{} {}", what, json_of(entries[i].id)));
    else if (kept++ != i)
      entries[kept - 1] = std::move(entries[i]);
  }
  entries.resize(kept);
}

template <class Entry>
void read_entries(const ordered_json& root, const char* list, const char* name, const std::string& file,
                  std::vector<Entry>& entries) {
  for_each(root, list, file, [&](const JsonElement& element) {
    entries.push_back({element.id("id"), element.text_if_any(name)});
    if (entries.back().id.index() != entries.front().id.index())
      element.fail(fmt::format("has the id {}, but {}[0] has {}; write all as numbers, or all as texts",
                               json_of(entries.back().id), list, json_of(entries.front().id)));
  });
}

void read_objects(const ordered_json& root, CocoAnnotations& a) {
  std::unordered_set<CocoId> ids;
  for_each(root, "annotations", a.file, [&](const JsonElement& object) {
    const CocoId id = object.id("id");
    if (!ids.insert(id).second)
      object.fail(
          fmt::format("repeats the id {}; give each annotation an id of its own (pycocotools judges the "
                      "last one of an id in place of all)",
                      json_of(id)));
    const int64_t image = referred_place(object, "image_id", a.images);
    const int64_t category = referred_place(object, "category_id", a.categories);
    if (image < 0) return a.of_unknown_images.add(json_of(object.id("image_id")));
    if (category < 0) return a.of_unknown_categories.add(json_of(object.id("category_id")));
    a.has_object_0 |= id == CocoId(0);
    const auto [x, y, width, height] = object.box("bbox");
    a.objects.push_back({image, static_cast<int>(category), x, y, width, height, object.number("area"),
                         object.flag("iscrowd")});
  });
}

}  // namespace

CocoAnnotations read_coco_annotations(const std::string& file) {
  const ordered_json root = read_coco_json(file);
  if (!root.is_object())
    throw Error(ErrorKind::Format,
                fmt::format("{} is not a JSON object; --coco-annotations takes a file like "
                            "COCO's instances_val2017.json",
                            file));
  CocoAnnotations annotations;
  annotations.file = file;
  read_entries(root, "images", "file_name", file, annotations.images);
  read_entries(root, "categories", "name", file, annotations.categories);
  sort_by_id(annotations.images, "image", annotations.repeated);
  sort_by_id(annotations.categories, "category", annotations.repeated);
  annotations.lists_objects = root.contains("annotations");
  if (annotations.lists_objects) read_objects(root, annotations);
  return annotations;
}

}  // namespace tyto::apps
