#include "apps/bev/nuscenes_samples.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "apps/bev/json_matrices.h"
#include "apps/bev/nuscenes_splits.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

constexpr const char* kLidar = "LIDAR_TOP";

template <class Value>
using ByToken = std::unordered_map<std::string, Value>;

// The value of the token that stands under `key`. Error{Format} where no table row has it.
template <class Value>
const Value& referred(const JsonObject& row, const char* key, const ByToken<Value>& values,
                      const char* table) {
  const auto token = row.get<std::string>(key);
  const auto found = values.find(token);
  if (found == values.end())
    row.fail(fmt::format("has the {} {}, which is in no row of {}.json", key, token, table));
  return found->second;
}

template <class Value>
void add(const JsonObject& row, ByToken<Value>& values, Value value) {
  auto token = row.get<std::string>("token");
  if (!values.emplace(token, std::move(value)).second) row.fail(fmt::format("repeats the token {}", token));
}

// --- which scenes ---

std::vector<std::string> lines_of(const std::string& file) {
  std::vector<std::string> lines;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> comma_separated(const std::string& text) {
  std::vector<std::string> names;
  std::istringstream stream(text);
  for (std::string name; std::getline(stream, name, ',');)
    if (!name.empty()) names.push_back(name);
  return names;
}

std::unordered_set<std::string> chosen_scenes(const std::string& wanted, const std::vector<std::string>& all,
                                              const NuscenesTree& tree) {
  if (wanted.empty()) return {all.begin(), all.end()};
  const std::unordered_set<std::string> known(all.begin(), all.end());
  std::unordered_set<std::string> chosen;
  if (const std::vector<std::string> split = scenes_of_split(wanted); !split.empty()) {
    std::ranges::copy_if(split, std::inserter(chosen, chosen.end()),
                         [&](const std::string& name) { return known.contains(name); });
    if (chosen.empty())
      throw Error(ErrorKind::Usage,
                  fmt::format("--scenes {}: {} has none of its scenes; it may be of another --version",
                              wanted, tree.table("scene").string()));
    return chosen;
  }
  const bool is_file = std::filesystem::is_regular_file(wanted);
  for (const std::string& name : is_file ? lines_of(wanted) : comma_separated(wanted)) {
    if (!known.contains(name))
      throw Error(ErrorKind::Usage,
                  fmt::format("--scenes {}: {} has no scene '{}'; write names of its scenes, mini_train, "
                              "mini_val, train, val, or a file with a name a line",
                              wanted, tree.table("scene").string(), name));
    chosen.insert(name);
  }
  if (chosen.empty()) throw Error(ErrorKind::Usage, fmt::format("--scenes {} names no scene", wanted));
  return chosen;
}

// --- sensors ---

struct Sensor {
  int camera = -1;  // its place among the cameras asked for
  bool lidar = false;

  bool wanted() const { return camera >= 0 || lidar; }
};

ByToken<Sensor> read_sensors(const NuscenesTree& tree, const std::vector<std::string>& cameras) {
  ByToken<Sensor> sensors;
  std::vector<std::string> channels;
  for_each_row(tree.table("sensor"), {"token", "channel"}, [&](const JsonObject& row) {
    channels.push_back(row.get<std::string>("channel"));
    const auto at = std::ranges::find(cameras, channels.back());
    Sensor sensor{at == cameras.end() ? -1 : static_cast<int>(at - cameras.begin()),
                  channels.back() == kLidar};
    add(row, sensors, sensor);
  });
  for (const std::string& camera : cameras)
    if (std::ranges::find(channels, camera) == channels.end())
      throw Error(ErrorKind::Usage,
                  fmt::format("{} has no camera {}; it has {}; choose with --cameras",
                              tree.table("sensor").string(), camera, fmt::join(channels, ", ")));
  return sensors;
}

// How a sensor was mounted in a scene.
struct Mounting {
  Sensor sensor;
  Matrix4 to_ego = kIdentity4;
  Matrix3 intrinsics = kIdentity3;  // of a camera
};

ByToken<Mounting> read_mountings(const NuscenesTree& tree, const ByToken<Sensor>& sensors) {
  ByToken<Mounting> mountings;
  for_each_row(tree.table("calibrated_sensor"),
               {"token", "sensor_token", "rotation", "translation", "camera_intrinsic"},
               [&](const JsonObject& row) {
                 Mounting mounting{referred(row, "sensor_token", sensors, "sensor")};
                 if (mounting.sensor.wanted()) mounting.to_ego = rotation_and_translation_in(row);
                 if (mounting.sensor.camera >= 0) mounting.intrinsics = matrix_in<3>(row, "camera_intrinsic");
                 add(row, mountings, std::move(mounting));
               });
  return mountings;
}

// --- samples ---

// A sample, and what of it has been found.
struct Found {
  Sample sample;
  size_t scene = 0;
  int64_t time = 0;  // microseconds
  bool has_lidar = false;
};

struct FoundSamples {
  std::vector<Found> samples;
  ByToken<std::optional<size_t>> places;  // in `samples`; nothing: of a scene that is not wanted
};

FoundSamples list_samples(const NuscenesTree& tree, const std::string& wanted,
                          const std::vector<std::string>& cameras) {
  ByToken<size_t> scenes;
  std::vector<std::string> names;
  for_each_row(tree.table("scene"), {"token", "name"}, [&](const JsonObject& row) {
    add(row, scenes, names.size());
    names.push_back(row.get<std::string>("name"));
  });
  const std::unordered_set<std::string> chosen = chosen_scenes(wanted, names, tree);

  FoundSamples found;
  for_each_row(tree.table("sample"), {"token", "timestamp", "scene_token"}, [&](const JsonObject& row) {
    const size_t scene = referred(row, "scene_token", scenes, "scene");
    const bool is_wanted = chosen.contains(names[scene]);
    add(row, found.places, is_wanted ? std::optional(found.samples.size()) : std::nullopt);
    if (!is_wanted) return;
    Found f{{row.get<std::string>("token"), names[scene]}, scene, row.get<int64_t>("timestamp")};
    for (const std::string& camera : cameras) f.sample.cameras.push_back({camera});
    found.samples.push_back(std::move(f));
  });
  return found;
}

// Fills in images and mountings; returns which samples take their pose from which row of ego_pose.json.
ByToken<std::vector<size_t>> find_images(const NuscenesTree& tree, const ByToken<Mounting>& mountings,
                                         FoundSamples& found) {
  ByToken<std::vector<size_t>> poses;
  const auto visit = [&](const JsonObject& row) {
    if (!row.get<bool>("is_key_frame")) return;
    const std::optional<size_t> place = referred(row, "sample_token", found.places, "sample");
    const Mounting& mounting = referred(row, "calibrated_sensor_token", mountings, "calibrated_sensor");
    if (!place || !mounting.sensor.wanted()) return;
    Found& f = found.samples[*place];
    const auto refuse_second = [&](const std::string& sensor) {
      row.fail(fmt::format("is a second key frame of {} in the sample {}", sensor, f.sample.id));
    };
    if (mounting.sensor.lidar) {
      if (f.has_lidar) refuse_second(kLidar);
      f.has_lidar = true;
      f.sample.lidar_to_ego = mounting.to_ego;
      poses[row.get<std::string>("ego_pose_token")].push_back(*place);
      return;
    }
    SampleCamera& camera = f.sample.cameras[static_cast<size_t>(mounting.sensor.camera)];
    if (!camera.image.empty()) refuse_second(camera.name);
    const auto file = row.get<std::string>("filename");
    if (file.empty()) row.refuse("filename", "the name of an image");
    camera.image = tree.root / file;
    camera.camera.intrinsics = mounting.intrinsics;
    camera.camera.camera_to_ego = mounting.to_ego;
  };
  for_each_row(tree.table("sample_data"),
               {"is_key_frame", "sample_token", "calibrated_sensor_token", "ego_pose_token", "filename"},
               visit);
  return poses;
}

void find_poses(const NuscenesTree& tree, ByToken<std::vector<size_t>> poses, FoundSamples& found) {
  for_each_row(tree.table("ego_pose"), {"token", "rotation", "translation"}, [&](const JsonObject& row) {
    const auto users = poses.find(row.get<std::string>("token"));
    if (users == poses.end()) return;
    const Matrix4 pose = rotation_and_translation_in(row);
    for (const size_t place : users->second) found.samples[place].sample.ego_pose = pose;
    poses.erase(users);
  });
  if (poses.empty()) return;
  const auto& [token, users] = *poses.begin();
  throw Error(ErrorKind::Format,
              fmt::format("{} has no row {}, the pose of the sample {}; was the table cut off?",
                          tree.table("ego_pose").string(), token, found.samples[users[0]].sample.id));
}

// "" for a sample that is whole.
std::string lacking(const Found& f) {
  if (!f.has_lidar) return kLidar;
  const auto camera = std::ranges::find_if(f.sample.cameras, [](const auto& c) { return c.image.empty(); });
  return camera == f.sample.cameras.end() ? "" : camera->name;
}

}  // namespace

const std::vector<std::string>& nuscenes_cameras() {
  static const std::vector<std::string> cameras = {"CAM_FRONT_LEFT", "CAM_FRONT", "CAM_FRONT_RIGHT",
                                                   "CAM_BACK_LEFT",  "CAM_BACK",  "CAM_BACK_RIGHT"};
  return cameras;
}

std::vector<Sample> read_nuscenes(const NuscenesTree& tree, const std::vector<std::string>& cameras,
                                  const std::string& scenes, SkippedInputs& skipped) {
  FoundSamples found = list_samples(tree, scenes, cameras);
  const ByToken<Sensor> sensors = read_sensors(tree, cameras);
  find_poses(tree, find_images(tree, read_mountings(tree, sensors), found), found);
  std::ranges::stable_sort(found.samples, {}, [](const Found& f) { return std::pair(f.scene, f.time); });
  std::vector<Sample> samples;
  for (Found& f : found.samples) {
    const std::string missing = lacking(f);
    if (missing.empty())
      samples.push_back(std::move(f.sample));
    else
      skipped.push_back(fmt::format("{}: the sample {} of {} has no key frame of {}",
                                    tree.table("sample_data").string(), f.sample.id, f.sample.sequence,
                                    missing));
  }
  return samples;
}

}  // namespace tyto::apps
