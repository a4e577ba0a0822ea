#include "engine/metrics/reid/gallery_draws.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/metrics/reid/python_random.h"

namespace tyto {
namespace {

// choose(group, shots) gives distinct places in group.rows.
template <class Choose>
std::vector<int64_t> draw(std::span<const ImageGroup> groups, int64_t shots, Choose&& choose) {
  std::vector<int64_t> rows;
  for (const ImageGroup& group : groups)
    for (const int64_t at : choose(group, std::min(shots, static_cast<int64_t>(group.rows.size()))))
      rows.push_back(group.rows[static_cast<size_t>(at)]);
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace

std::vector<ImageGroup> group_images(const Labels& images, std::span<const int64_t> cameras) {
  std::map<std::pair<int64_t, int64_t>, ImageGroup> groups;  // {id, place of the camera}
  for (size_t i = 0; i < images.ids.size(); ++i) {
    const auto camera = std::find(cameras.begin(), cameras.end(), images.cameras[i]);
    if (camera == cameras.end()) continue;
    ImageGroup& group = groups[{images.ids[i], camera - cameras.begin()}];
    group.id = images.ids[i];
    group.camera = *camera;
    group.rows.push_back(static_cast<int64_t>(i));
  }
  std::vector<ImageGroup> sorted;
  for (auto& [key, group] : groups) sorted.push_back(std::move(group));
  return sorted;
}

std::vector<int64_t> draw_gallery(std::span<const ImageGroup> groups, int64_t shots, int64_t trial) {
  PythonRandom random(static_cast<uint32_t>(trial));
  return draw(groups, shots, [&](const ImageGroup& group, int64_t count) {
    const auto images = static_cast<int64_t>(group.rows.size());
    return shots == 1 ? std::vector{random.choice(images)} : random.sample(images, count);
  });
}

std::vector<int64_t> draw_gallery(std::span<const ImageGroup> groups, int64_t shots, int64_t trial,
                                  const Permutations& permutations) {
  return draw(groups, shots, [&](const ImageGroup& group, int64_t count) {
    const auto found = permutations.of.find({group.camera, group.id});
    const size_t images = found == permutations.of.end() ? 0 : found->second.front().size();
    if (images != group.rows.size())
      throw Error(
          ErrorKind::Format,
          fmt::format("{} orders {} images of identity {} in camera {}, but the gallery features have {}; "
                      "extract all images of the test identities",
                      permutations.origin, images, group.id, group.camera, group.rows.size()));
    const std::vector<int64_t>& order = found->second[static_cast<size_t>(trial)];
    return std::vector(order.begin(), order.begin() + count);
  });
}

}  // namespace tyto
