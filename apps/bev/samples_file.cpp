#include "apps/bev/samples_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <unordered_set>

#include "apps/bev/json_matrices.h"
#include "files/json.h"
#include "files/utf8.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

constexpr int kMaxNesting = 8;  // a camera's matrix lies five deep

std::string text_in(const JsonObject& object, const char* key) {
  auto text = object.get<std::string>(key);
  if (text.empty()) object.refuse(key, "a text of one character or more");
  return text;
}

SampleCamera camera_of(const JsonObject& json, const std::filesystem::path& folder) {
  SampleCamera camera{text_in(json, "name"), folder / text_in(json, "image")};
  camera.camera.intrinsics = matrix_in<3>(json, "intrinsics");
  camera.camera.camera_to_ego = pose_in(json, "camera_to_ego");
  if (json.has("augmentation")) camera.camera.augmentation = matrix_in<3>(json, "augmentation");
  json.finish();
  return camera;
}

Sample sample_of(const std::string& line, const std::string& where, const std::filesystem::path& folder) {
  const nlohmann::ordered_json parsed = parse_json(line, kMaxNesting, where);
  const JsonObject json(parsed, where);
  Sample sample{text_in(json, "id"), text_in(json, "sequence")};
  if (json.has("ego_pose")) sample.ego_pose = pose_in(json, "ego_pose");
  if (json.has("lidar_to_ego")) sample.lidar_to_ego = pose_in(json, "lidar_to_ego");
  for (const nlohmann::ordered_json& element : json.list("cameras")) {
    const JsonObject entry(element, fmt::format("{}: cameras[{}]", where, sample.cameras.size()));
    SampleCamera camera = camera_of(entry, folder);
    if (std::ranges::find(sample.cameras, camera.name, &SampleCamera::name) != sample.cameras.end())
      entry.fail(fmt::format("has the \"name\" '{}' of a camera before it", camera.name));
    sample.cameras.push_back(std::move(camera));
  }
  if (sample.cameras.empty()) json.refuse("cameras", "a list of one camera or more");
  json.finish();
  return sample;
}

}  // namespace

std::vector<Sample> read_samples_file(const std::filesystem::path& file, SkippedInputs& skipped) {
  std::vector<Sample> samples;
  std::unordered_set<std::string> ids;
  std::ifstream stream(file, std::ios::binary);
  std::string line;
  for (int64_t number = 1; std::getline(stream, line); ++number) {
    if (number == 1) take_off_mark(line, file.string());
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = fmt::format("{}: line {}", file.string(), number);
    try {
      Sample sample = sample_of(line, where, file.parent_path());
      if (!ids.insert(sample.id).second)
        throw Error(ErrorKind::Format,
                    fmt::format("{} has the \"id\" '{}' of a line before it", where, sample.id));
      samples.push_back(std::move(sample));
    } catch (const Error& error) {
      skipped.push_back(error.what());
    }
  }
  if (!stream.eof())  // a missing file, a folder, a failing disk
    throw Error(ErrorKind::File, fmt::format("{}: cannot read: {}", file.string(), std::strerror(errno)));
  return samples;
}

}  // namespace tyto::apps
