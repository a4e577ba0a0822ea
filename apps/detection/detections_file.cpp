#include "apps/detection/detections_file.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>

#include "files/json.h"
#include "files/json_object.h"
#include "files/utf8.h"

namespace tyto::apps {
namespace {

// Numbers as float, not double: a decimal rounded twice need not give the float back that it was printed
// from.
using Json =
    nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, int64_t, uint64_t, float>;

constexpr int kMaxNesting = 8;  // a detection's box lies four deep

using Object = BasicJsonObject<Json>;

constexpr int kMaxInt = std::numeric_limits<int>::max();

Json parse(const std::string& text, const std::string& where) {
  const auto check_depth = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxNesting) throw Error(ErrorKind::Format, where + " is nested too deeply");
    return true;
  };
  try {
    return Json::parse(text, check_depth);
  } catch (const Json::exception&) {
    throw Error(ErrorKind::Format, where + " is not valid JSON; was the file cut off?");
  }
}

NamedDetection detection_of(const Object& json) {
  const auto [x, y, width, height] = json.get<std::array<float, 4>>("bbox");
  return {json.get<std::string>("label"),
          {json.get<int>("label_id", 0, kMaxInt), json.get<float>("score"), x, y, width, height}};
}

}  // namespace

std::string to_json_line(const ImageDetections& image) {
  std::string line = fmt::format(R"({{"image": {}, "width": {}, "height": {}, "detections": [)",
                                 dump_json(image.image), image.width, image.height);
  for (size_t i = 0; i < image.detections.size(); ++i) {
    const auto& [name, d] = image.detections[i];
    line += fmt::format(R"({}{{"label": {}, "label_id": {}, "score": {}, "bbox": [{}, {}, {}, {}]}})",
                        i == 0 ? "" : ", ", dump_json(name), d.label, d.score, d.x, d.y, d.width, d.height);
  }
  return line + "]}";
}

ImageDetections from_json_line(const std::string& line, const std::filesystem::path& file,
                               int64_t line_number) {
  const std::string where = fmt::format("{}: line {}", file.string(), line_number);
  const Json json = parse(line, where);
  const Object object(json, where);
  ImageDetections image{object.get<std::string>("image"),
                        object.get<int>("width", 0, kMaxInt),
                        object.get<int>("height", 0, kMaxInt),
                        {}};
  for (const Json& detection : object.list("detections"))
    image.detections.push_back(detection_of({detection, where}));
  return image;
}

void for_each_image(const std::filesystem::path& file,
                    const std::function<void(const ImageDetections&)>& visit) {
  std::ifstream stream(file, std::ios::binary);
  std::string line;
  for (int64_t number = 1; std::getline(stream, line); ++number) {
    if (number == 1) take_off_mark(line, file.string());
    visit(from_json_line(line, file, number));
  }
  if (!stream.eof())  // a missing file, a folder, a failing disk
    throw Error(ErrorKind::File, fmt::format("{}: cannot read: {}", file.string(), std::strerror(errno)));
}

std::vector<ImageDetections> read_detections(const std::filesystem::path& file) {
  std::vector<ImageDetections> images;
  for_each_image(file, [&](const ImageDetections& image) { images.push_back(image); });
  return images;
}

}  // namespace tyto::apps
