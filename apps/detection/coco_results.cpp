#include "apps/detection/coco_results.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "apps/detection/coco_category_finder.h"
#include "apps/detection/coco_image_finder.h"
#include "files/file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

std::optional<CocoId> number_of(const std::filesystem::path& file) {
  const std::string stem = file.stem().string();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
  if (error != std::errc() || end != stem.data() + stem.size() || number < 0) return std::nullopt;
  return number;
}

// Of the image that the path means, or nothing.
std::optional<CocoId> id_of(const std::filesystem::path& file, const CocoImageFinder& finder,
                            const CocoAnnotations& annotations) {
  const int64_t index = finder.find(file.string());
  if (index < 0) return std::nullopt;
  return annotations.images[static_cast<size_t>(index)].id;
}

}  // namespace

std::map<std::string, CocoId> coco_image_ids(const std::vector<DetectionInput>& inputs,
                                             const CocoAnnotations* annotations) {
  std::optional<CocoImageFinder> finder;
  if (annotations) finder.emplace(*annotations);
  std::map<std::string, CocoId> ids;
  std::map<CocoId, std::string> seen;
  for (const DetectionInput& input : inputs) {
    if (input.video)
      throw Error(ErrorKind::Usage,
                  fmt::format("--coco: {} is a video, whose frames have no image ids", input.name()));
    const std::optional<CocoId> id =
        annotations ? id_of(input.file, *finder, *annotations) : number_of(input.file);
    if (!id)
      throw Error(ErrorKind::Usage,
                  annotations ? fmt::format("--coco: {} has no image {}", annotations->file, input.name())
                              : fmt::format("--coco: the name of {} is no number, hence no image id; give "
                                            "--coco-annotations, which has the ids by file name",
                                            input.name()));
    if (const auto [other, first] = seen.emplace(*id, input.name()); !first)
      throw Error(ErrorKind::Usage, fmt::format("--coco: {} and {} both have the image id {}", other->second,
                                                input.name(), json_of(*id)));
    ids[input.name()] = *id;
  }
  return ids;
}

CocoResultsReport write_coco_results(const std::filesystem::path& results,
                                     const std::filesystem::path& detections, const DetectionTally& tally,
                                     const std::map<std::string, CocoId>& image_ids,
                                     const CocoAnnotations* annotations) {
  std::optional<CocoCategoryFinder> finder;
  if (annotations) {
    finder.emplace(*annotations);
    for (const auto& [named, counts] : tally.classes) finder->see({named.first, {.label = named.second}});
    if (!finder->any_known()) finder.reset();
  }
  CocoResultsReport report;
  report.by_label_id = annotations && (!finder || finder->by_label_id());
  AtomicFile out(results);
  out.write("[");
  const char* separator = "\n";
  for_each_image(detections, [&](const ImageDetections& image) {
    const auto id = image_ids.find(image.image);
    if (id == image_ids.end()) return;  // of a folder that has changed since the run was stopped
    for (const NamedDetection& named : image.detections) {
      const Detection& d = named.detection;
      const int index = finder ? finder->find(named) : -1;
      if (finder && index < 0) {
        report.unknown_classes.add(named.name);
        continue;
      }
      const CocoId category =
          finder ? annotations->categories[static_cast<size_t>(index)].id : CocoId(int64_t{d.label});
      out.write(fmt::format(
          R"({}{{"image_id": {}, "category_id": {}, "bbox": [{}, {}, {}, {}], "score": {}}})", separator,
          json_of(id->second), json_of(category), d.x, d.y, d.width, d.height, d.score));
      separator = ",\n";
    }
  });
  out.write("\n]\n");
  out.commit();
  return report;
}

}  // namespace tyto::apps
