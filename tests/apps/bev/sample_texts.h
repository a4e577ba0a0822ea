// A small nuScenes tree and a line of samples.jsonl, as text.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace tyto::apps {

inline void write_file(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

inline void replace(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// Two scenes, of which the first in the table is later in time. Samples s1, s0 (in time s0, s1) of scene-0103
// and s2 of scene-0916; cameras A and B, a lidar; s1's images have a sweep between them.
inline std::map<std::string, std::string> small_tables() {
  std::string data = "[";
  const auto add = [&](const std::string& sample, const std::string& sensor, bool key) {
    if (data.size() > 1) data += ",\n";
    data += R"({"token": "d)" + sample + sensor + R"(", "sample_token": ")" + sample +
            R"(", "ego_pose_token": "p)" + sample + sensor + R"(", "calibrated_sensor_token": "c)" + sensor +
            R"(", "is_key_frame": )" + (key ? "true" : "false") +
            R"(, "prev": "", "extra": {"deep": [[1, "x"]]},
            "filename": "samples/)" +
            sensor + "/" + sample + R"(.jpg"})";
  };
  for (const char* sample : {"s1", "s0", "s2"})
    for (const char* sensor : {"B", "LIDAR_TOP", "A", "RADAR"}) add(sample, sensor, true);
  add("s1", "A", false);
  data += "]";
  std::string poses = "[";
  for (const char* sample : {"s0", "s1", "s2"})
    for (const char* sensor : {"A", "B", "LIDAR_TOP", "RADAR"}) {
      if (poses.size() > 1) poses += ",";
      const std::string x = std::string("1") + sample[1] + (sensor[0] == 'L' ? ".5" : ".25");
      poses += std::string(R"({"token": "p)") + sample + sensor +
               R"(", "rotation": [1, 0, 0, 0], "translation": [)" + x + ", 2, 3]}";
    }
  poses += "]";
  return {
      {"scene", R"([{"token": "k1", "name": "scene-0103"}, {"token": "k0", "name": "scene-0916"}])"},
      {"sample", R"([{"token": "s1", "timestamp": 1532402927604844, "scene_token": "k1"},
        {"token": "s0", "timestamp": 1532402927604843, "scene_token": "k1"},
        {"token": "s2", "timestamp": 5, "scene_token": "k0"}])"},
      {"sensor", R"([{"token": "eA", "channel": "A", "modality": "camera"}, {"token": "eB", "channel": "B"},
        {"token": "eL", "channel": "LIDAR_TOP"}, {"token": "eR", "channel": "RADAR"}])"},
      {"calibrated_sensor", R"([
        {"token": "cA", "sensor_token": "eA", "translation": [1, 0, 1.5], "rotation": [0.5, -0.5, 0.5, -0.5],
         "camera_intrinsic": [[1000, 0, 800], [0, 1001, 450], [0, 0, 1]]},
        {"token": "cB", "sensor_token": "eB", "translation": [-1, 0, 1.5], "rotation": [0.5, -0.5, -0.5, 0.5],
         "camera_intrinsic": [[900, 0, 800], [0, 900, 450], [0, 0, 1]]},
        {"token": "cLIDAR_TOP", "sensor_token": "eL", "translation": [0.9, 0, 1.8],
         "rotation": [0.7071067811865476, 0, 0, -0.7071067811865476], "camera_intrinsic": []},
        {"token": "cRADAR", "sensor_token": "eR", "translation": [0, 0, 0], "rotation": [1, 0, 0, 0],
         "camera_intrinsic": []}])"},
      {"sample_data", data},
      {"ego_pose", poses}};
}

inline void write_tables(const std::filesystem::path& folder,
                         const std::map<std::string, std::string>& tables) {
  for (const auto& [name, text] : tables) write_file(folder / (name + ".json"), text);
}

inline std::string sample_line() {
  return R"({"id": "0017", "sequence": "street", "ego_pose": [[1, 0, 0, 5], [0, 1, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]], )"
         R"("cameras": [{"name": "front", "image": "front/0017.jpg", "intrinsics": [[500, 0, 320], [0, 501, 240], )"
         R"([0, 0, 1]], "camera_to_ego": {"rotation": [0.5, -0.5, 0.5, -0.5], "translation": [1.5, 0, 1.6]}, )"
         R"("augmentation": [[0.5, 0, -3], [0, 0.5, -4], [0, 0, 1]]}]})";
}

}  // namespace tyto::apps
