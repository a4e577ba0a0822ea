#include "apps/detection/json_element.h"

#include <fmt/format.h>

#include <limits>

#include "engine/file.h"
#include "engine/json_text.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

constexpr int kMaxNesting = 32;  // polygons of segments need 5

bool is_int64(const ordered_json& value) {
  if (value.is_number_unsigned())
    return value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return value.is_number_integer();
}

}  // namespace

JsonElement::JsonElement(const ordered_json& value, const std::string& file, const char* list, size_t index)
    : value_(value), file_(file), list_(list), index_(index) {
  if (!value.is_object()) fail("is not an object");
}

void JsonElement::fail(const std::string& what) const {
  throw Error(ErrorKind::Format, fmt::format("{}: {}[{}] {}", file_, list_, index_, what));
}

const ordered_json& JsonElement::field(const char* key) const {
  const auto found = value_.find(key);
  if (found == value_.end()) fail(fmt::format("has no '{}'", key));
  return *found;
}

int64_t JsonElement::integer(const char* key) const {
  const ordered_json& value = field(key);
  if (!is_int64(value)) fail(fmt::format("has a '{}' that is not an integer", key));
  return value.get<int64_t>();
}

double JsonElement::number(const char* key) const {
  const ordered_json& value = field(key);
  if (!value.is_number()) fail(fmt::format("has a '{}' that is not a number", key));
  return value.get<double>();
}

double JsonElement::size(const char* key) const {
  const double value = number(key);
  if (value < 0) fail(fmt::format("has a negative '{}'", key));
  return value;
}

std::string JsonElement::text(const char* key) const {
  const ordered_json& value = field(key);
  if (!value.is_string()) fail(fmt::format("has a '{}' that is not a string", key));
  return value.get<std::string>();
}

std::array<double, 4> JsonElement::box(const char* key) const {
  const ordered_json& value = field(key);
  std::array<double, 4> box{};
  if (!value.is_array() || value.size() != box.size())
    fail(fmt::format("has a '{}' that is not [x, y, width, height]", key));
  for (size_t i = 0; i < box.size(); ++i) {
    if (!value[i].is_number()) fail(fmt::format("has a '{}' that is not four numbers", key));
    box[i] = value[i].get<double>();
  }
  if (box[2] < 0 || box[3] < 0) fail(fmt::format("has a '{}' of negative size", key));
  return box;
}

ordered_json read_coco_json(const std::string& file) {
  return parse_json(read_text(file, kMaxCocoBytes), kMaxNesting, file);
}

}  // namespace tyto::apps
