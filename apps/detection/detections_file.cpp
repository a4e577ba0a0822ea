#include "apps/detection/detections_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "files/json.h"
#include "files/utf8.h"

namespace tyto::apps {
namespace {

// Numbers as float, not double: a decimal rounded twice need not give the float back that it was printed from.
using Json =
    nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, int64_t, uint64_t, float>;

constexpr int kMaxNesting = 8;  // a detection's box lies four deep

class Line {
 public:
  Line(const std::string& text, const std::filesystem::path& file, int64_t number)
      : where_(fmt::format("{}: line {}", file.string(), number)), json_(parse(text)) {}

  ImageDetections read() const {
    ImageDetections out;
    out.image = text(json_, "image");
    out.width = integer(json_, "width");
    out.height = integer(json_, "height");
    for (const Json& d : list(json_, "detections")) out.detections.push_back(detection(d));
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::Format, fmt::format("{} {}", where_, what));
  }

  Json parse(const std::string& text) const {
    const auto check_depth = [&](int depth, Json::parse_event_t, Json&) {
      if (depth > kMaxNesting) fail("is nested too deeply");
      return true;
    };
    try {
      return Json::parse(text, check_depth);
    } catch (const Json::exception&) {
      fail("is not valid JSON; was the file cut off?");
    }
  }

  const Json& member(const Json& object, const char* key) const {
    if (!object.is_object()) fail("is no JSON object where an image or a detection should be");
    const auto found = object.find(key);
    if (found == object.end()) fail(fmt::format("has no \"{}\"", key));
    return *found;
  }

  std::string text(const Json& object, const char* key) const {
    const Json& value = member(object, key);
    if (!value.is_string()) fail(fmt::format("has a \"{}\" that is no text", key));
    return value.get<std::string>();
  }

  int integer(const Json& object, const char* key) const {
    const Json& value = member(object, key);
    if (!value.is_number_integer()) fail(fmt::format("has a \"{}\" that is no whole number", key));
    const auto number = value.get<int64_t>();
    const bool too_large = value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX;
    if (too_large || number < 0 || number > std::numeric_limits<int>::max())
      fail(fmt::format("has an impossible \"{}\"", key));
    return static_cast<int>(number);
  }

  float number(const Json& value, const char* key) const {
    if (!value.is_number()) fail(fmt::format("has a \"{}\" that is no number", key));
    return value.get<float>();
  }

  const Json& list(const Json& object, const char* key) const {
    const Json& value = member(object, key);
    if (!value.is_array()) fail(fmt::format("has \"{}\" that are no list", key));
    return value;
  }

  NamedDetection detection(const Json& json) const {
    NamedDetection out;
    out.name = text(json, "label");
    out.detection.label = integer(json, "label_id");
    out.detection.score = number(member(json, "score"), "score");
    const Json& box = list(json, "bbox");
    if (box.size() != 4) fail("has a \"bbox\" that is not [x, y, width, height]");
    out.detection.x = number(box[0], "bbox");
    out.detection.y = number(box[1], "bbox");
    out.detection.width = number(box[2], "bbox");
    out.detection.height = number(box[3], "bbox");
    return out;
  }

  std::string where_;
  Json json_;
};

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
  return Line(line, file, line_number).read();
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
