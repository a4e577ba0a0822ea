#include "apps/detection/json_element.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

#include "files/file.h"
#include "files/json.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

constexpr int kMaxNesting = 32;  // polygons of segments need 5

constexpr double kMaxWholeDouble = 9007199254740992;  // 2^53: beyond it neighbours are lost

// The value as a number, or nothing.
std::optional<double> number_of(const ordered_json& value) {
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_number()) return value.get<double>();
  return std::nullopt;
}

std::optional<CocoId> id_of(const ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned() &&
      value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    return std::nullopt;
  if (value.is_number_integer()) return value.get<int64_t>();
  const std::optional<double> number = number_of(value);
  if (!number || std::abs(*number) > kMaxWholeDouble || *number != std::trunc(*number)) return std::nullopt;
  return static_cast<int64_t>(*number);
}

// Python's json writes NaN and Infinity where numbers are missing, mostly in fields that nobody needs.
std::string with_null_for_nan(std::string text) {
  constexpr std::string_view kNames[] = {"NaN", "-Infinity", "Infinity"};
  if (std::ranges::none_of(kNames,
                           [&](std::string_view name) { return text.find(name) != std::string::npos; }))
    return text;
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = std::string_view(text).substr(i);
    const auto* name = std::ranges::find_if(kNames, [&](std::string_view n) { return rest.starts_with(n); });
    if (!in_string && name != std::end(kNames)) {
      out += "null";
      i += name->size() - 1;
      continue;
    }
    out += text[i];
    if (text[i] == '"') in_string = !in_string;
    if (in_string && text[i] == '\\' && i + 1 < text.size()) out += text[++i];
  }
  return out;
}

}  // namespace

CocoId JsonElement::id(const char* key) const {
  const std::optional<CocoId> id = id_of(at(key));
  if (!id) refuse(key, "a whole number or a text");
  return *id;
}

double JsonElement::number(const char* key) const {
  const std::optional<double> number = number_of(at(key));
  if (!number) refuse(key, "a number");
  return *number;
}

bool JsonElement::flag(const char* key) const {
  const std::optional<double> number = number_of(at(key));
  if (number != 0.0 && number != 1.0) refuse(key, "0 or 1");
  return number == 1.0;
}

std::string JsonElement::text_if_any(const char* key) const {
  if (!has(key) || at(key).is_null()) return {};
  return at(key).is_string() ? at(key).get<std::string>() : dump_json(at(key));
}

std::array<double, 4> JsonElement::box(const char* key) const {
  const ordered_json& value = at(key);
  std::array<double, 4> box{};
  bool right = value.is_array() && value.size() == box.size();
  for (size_t i = 0; right && i < box.size(); ++i) {
    const std::optional<double> number = number_of(value[i]);
    right = number.has_value();
    box[i] = number.value_or(0);
  }
  if (!right) refuse(key, "[x, y, width, height]");
  return box;
}

std::string json_of(const CocoId& id) {
  return std::visit([](const auto& value) { return dump_json(value); }, id);
}

ordered_json read_coco_json(const std::string& file) {
  return parse_json(with_null_for_nan(read_text(file, kMaxCocoBytes)), kMaxNesting, file);
}

}  // namespace tyto::apps
