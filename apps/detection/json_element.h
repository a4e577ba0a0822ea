// One object of a list in COCO's JSON, read as Python reads it: true is 1.
#pragma once

#include <array>
#include <string>

#include "apps/detection/coco_id.h"
#include "files/json_object.h"

namespace tyto::apps {

// Every function throws Error{Format} "FILE: LIST[INDEX] ...". The value must outlive it.
class JsonElement : public JsonObject {
 public:
  JsonElement(const nlohmann::ordered_json& value, const std::string& file, const char* list, size_t index)
      : JsonObject(value, file + ": " + list + '[' + std::to_string(index) + ']') {}

  CocoId id(const char* key) const;
  double number(const char* key) const;
  bool flag(const char* key) const;                  // 0, 1, false or true
  std::string text_if_any(const char* key) const;    // empty without; what is no text as JSON
  std::array<double, 4> box(const char* key) const;  // x, y, width, height
};

// The largest annotations or results that are read: COCO's train2017 has 448 MB.
inline constexpr uint64_t kMaxCocoBytes = uint64_t{512} << 20;

// A file in COCO's JSON, whole; NaN and Infinity, which Python writes, are null. Error{File}, Error{Format}.
nlohmann::ordered_json read_coco_json(const std::string& file);

}  // namespace tyto::apps
