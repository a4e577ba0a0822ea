#include "apps/detection/coco_annotations.h"

#include <fmt/format.h>

#include <unordered_set>

#include "apps/detection/json_element.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

// An id or a name that stood there before is an error.
template <class Key>
class Unique {
 public:
  void add(const Key& key, const char* what, const JsonElement& element) {
    if (!seen_.insert(key).second) element.fail(fmt::format("repeats the {} {}", what, key));
  }

 private:
  std::unordered_set<Key> seen_;
};

// Calls visit(element) for every element of root[list].
template <class Visit>
void for_each(const ordered_json& root, const char* list, const std::string& file, Visit&& visit) {
  const auto found = root.find(list);
  if (found == root.end() || !found->is_array())
    throw Error(ErrorKind::Format,
                fmt::format("{} has no list '{}'; COCO's instances files have one", file, list));
  for (size_t i = 0; i < found->size(); ++i) visit(JsonElement((*found)[i], file, list, i));
}

template <class Entry>
void sort_by_id(std::vector<Entry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.id < b.id; });
}

void read_images(const ordered_json& root, CocoAnnotations& a) {
  Unique<int64_t> ids;
  Unique<std::string> names;
  for_each(root, "images", a.file, [&](const JsonElement& image) {
    a.images.push_back({image.integer("id"), image.text("file_name")});
    ids.add(a.images.back().id, "id", image);
    names.add(a.images.back().file_name, "file_name", image);
    for (const char* side : {"width", "height"})
      if (image.integer(side) < 1) image.fail(fmt::format("has a '{}' below 1", side));
  });
  sort_by_id(a.images);
}

void read_categories(const ordered_json& root, CocoAnnotations& a) {
  Unique<int64_t> ids;
  Unique<std::string> names;
  for_each(root, "categories", a.file, [&](const JsonElement& category) {
    a.categories.push_back({category.integer("id"), category.text("name")});
    ids.add(a.categories.back().id, "id", category);
    names.add(a.categories.back().name, "name", category);
  });
  sort_by_id(a.categories);
}

template <class Entry>
int64_t reference(const JsonElement& object, const char* key, const std::vector<Entry>& entries,
                  const char* list) {
  const int64_t id = object.integer(key), place = place_of(id, entries);
  if (place < 0) object.fail(fmt::format("has the {} {}, which '{}' does not hold", key, id, list));
  return place;
}

bool is_crowd(const JsonElement& object) {
  const int64_t value = object.integer("iscrowd");
  if (value != 0 && value != 1) object.fail("has an 'iscrowd' that is neither 0 nor 1");
  return value == 1;
}

void read_objects(const ordered_json& root, CocoAnnotations& a) {
  Unique<int64_t> ids;
  for_each(root, "annotations", a.file, [&](const JsonElement& object) {
    const int64_t id = object.integer("id");
    ids.add(id, "id", object);
    a.has_object_0 |= id == 0;
    const auto [x, y, width, height] = object.box("bbox");
    a.objects.push_back({reference(object, "image_id", a.images, "images"),
                         static_cast<int>(reference(object, "category_id", a.categories, "categories")), x, y,
                         width, height, object.size("area"), is_crowd(object)});
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
  read_images(root, annotations);
  read_categories(root, annotations);
  read_objects(root, annotations);
  return annotations;
}

}  // namespace tyto::apps
