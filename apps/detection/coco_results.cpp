#include "apps/detection/coco_results.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <unordered_map>

#include "apps/detection/detections_file.h"
#include "engine/file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

using Ids = std::unordered_map<std::string, int64_t>;

std::optional<int64_t> number_of(const std::filesystem::path& file) {
  const std::string stem = file.stem().string();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
  if (error != std::errc() || end != stem.data() + stem.size() || number < 0) return std::nullopt;
  return number;
}

// Of the longest end of the path that is a key.
std::optional<int64_t> id_of(const std::filesystem::path& file, const Ids& by_file_name) {
  std::string end = file.generic_string();
  for (;;) {
    if (const auto found = by_file_name.find(end); found != by_file_name.end()) return found->second;
    const size_t slash = end.find('/');
    if (slash == std::string::npos) return std::nullopt;
    end.erase(0, slash + 1);
  }
}

// Empty where a name is unknown.
Ids categories_by_name(const std::filesystem::path& detections, const CocoAnnotations& annotations) {
  Ids ids;
  for (const CocoCategory& category : annotations.categories) ids[category.name] = category.id;
  bool all_known = true;
  for_each_image(detections, [&](const ImageDetections& image) {
    for (const NamedDetection& d : image.detections) all_known &= ids.contains(d.name);
  });
  return all_known ? ids : Ids{};
}

}  // namespace

std::map<std::string, int64_t> coco_image_ids(const std::vector<DetectionInput>& inputs,
                                              const CocoAnnotations* annotations) {
  Ids by_file_name;
  if (annotations)
    for (const CocoImage& image : annotations->images) by_file_name[image.file_name] = image.id;
  std::map<std::string, int64_t> ids;
  std::unordered_map<int64_t, std::string> seen;
  for (const DetectionInput& input : inputs) {
    if (input.video)
      throw Error(ErrorKind::Usage,
                  fmt::format("--coco: {} is a video, whose frames have no image ids", input.name()));
    const std::optional<int64_t> id = annotations ? id_of(input.file, by_file_name) : number_of(input.file);
    if (!id)
      throw Error(ErrorKind::Usage,
                  annotations ? fmt::format("--coco: {} has no image {}", annotations->file, input.name())
                              : fmt::format("--coco: the name of {} is no number, hence no image id; give "
                                            "--coco-annotations, which has the ids by file name",
                                            input.name()));
    if (const auto [other, first] = seen.emplace(*id, input.name()); !first)
      throw Error(ErrorKind::Usage, fmt::format("--coco: {} and {} both have the image id {}", other->second,
                                                input.name(), *id));
    ids[input.name()] = *id;
  }
  return ids;
}

void write_coco_results(const std::filesystem::path& results, const std::filesystem::path& detections,
                        const std::map<std::string, int64_t>& image_ids, const CocoAnnotations* annotations) {
  const Ids categories = annotations ? categories_by_name(detections, *annotations) : Ids{};
  AtomicFile out(results);
  out.write("[");
  const char* separator = "\n";
  for_each_image(detections, [&](const ImageDetections& image) {
    const auto id = image_ids.find(image.image);
    if (id == image_ids.end()) return;  // of a folder that has changed since the run was stopped
    for (const auto& [name, d] : image.detections) {
      const int64_t category = categories.empty() ? d.label : categories.at(name);
      out.write(
          fmt::format(R"({}{{"image_id": {}, "category_id": {}, "bbox": [{}, {}, {}, {}], "score": {}}})",
                      separator, id->second, category, d.x, d.y, d.width, d.height, d.score));
      separator = ",\n";
    }
  });
  out.write("\n]\n");
  out.commit();
}

}  // namespace tyto::apps
