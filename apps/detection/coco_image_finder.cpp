#include "apps/detection/coco_image_finder.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "tyto/error.h"

namespace tyto::apps {
namespace {

namespace fs = std::filesystem;

// Annotations made on Windows have backslashes.
std::string with_slashes(std::string path) {
  std::ranges::replace(path, '\\', '/');
  return path;
}

std::string last_component(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

CocoImageFinder::CocoImageFinder(const CocoAnnotations& annotations) : annotations_(annotations) {
  for (size_t i = 0; i < annotations.images.size(); ++i) {
    const std::string& name = annotations.images[i].file_name;
    if (!name.empty()) by_name_[last_component(with_slashes(name))].push_back(static_cast<int64_t>(i));
  }
}

int64_t CocoImageFinder::find(const std::string& given) const {
  const std::string path = with_slashes(given);
  const auto found = by_name_.find(last_component(path));
  if (found == by_name_.end()) return by_id(path);
  if (found->second.size() == 1) return found->second.front();
  return longest_end(path, found->second);
}

// Of images with one name in several folders.
int64_t CocoImageFinder::longest_end(const std::string& path, const std::vector<int64_t>& indices) const {
  const auto image = [this](int64_t index) -> const CocoImage& {
    return annotations_.images[static_cast<size_t>(index)];
  };
  int64_t best = -1, equal = -1;
  size_t length = 0;
  for (const int64_t index : indices) {
    const std::string name = with_slashes(image(index).file_name);
    const bool ends = path.ends_with(name) && (path.size() == name.size() || path.ends_with('/' + name));
    if (!ends || name.size() < length) continue;
    equal = name.size() == length ? best : -1;
    best = index;
    length = name.size();
  }
  if (equal >= 0)
    throw Error(
        ErrorKind::Format,
        fmt::format(
            "{}: the images {} and {} are both called '{}', so {} could be either; COCO results, which "
            "name images by id, can be judged",
            annotations_.file, json_of(image(equal).id), json_of(image(best).id), image(best).file_name,
            path));
  return best;
}

int64_t CocoImageFinder::by_id(const std::string& path) const {
  const std::string stem = fs::path(path).stem().string();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
  const bool is_number = error == std::errc() && end == stem.data() + stem.size();
  const int64_t index = is_number ? index_of(number, annotations_.images) : -1;
  return index >= 0 ? index : index_of(stem, annotations_.images);
}

}  // namespace tyto::apps
