// One object of a list in a JSON file that a stranger wrote: typed fields, or a sentence that says what is
// wrong where.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/detection/coco_id.h"

namespace tyto::apps {

// Every function throws Error{Format} "FILE: LIST[INDEX] ...". `file`, `list` and the value must outlive it.
class JsonElement {
 public:
  JsonElement(const nlohmann::ordered_json& value, const std::string& file, const char* list, size_t index);

  CocoId id(const char* key) const;
  double number(const char* key) const;              // true is 1, as in Python
  bool flag(const char* key) const;                  // 0, 1, false or true
  std::string text_if_any(const char* key) const;    // empty without; what is no text as JSON
  std::array<double, 4> box(const char* key) const;  // x, y, width, height

  [[noreturn]] void fail(const std::string& what) const;  // "FILE: LIST[INDEX] `what`"

 private:
  const nlohmann::ordered_json& field(const char* key) const;

  const nlohmann::ordered_json& value_;
  const std::string& file_;
  const char* list_;
  size_t index_;
};

// The largest annotations or results that are read: COCO's train2017 has 448 MB.
inline constexpr uint64_t kMaxCocoBytes = uint64_t{512} << 20;

// A file in COCO's JSON, whole; NaN and Infinity, which Python writes, are null. Error{File}, Error{Format}.
nlohmann::ordered_json read_coco_json(const std::string& file);

}  // namespace tyto::apps
