// The tables of a nuScenes tree: JSON lists of rows, two of them of a gigabyte.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>

#include "files/json_object.h"

namespace tyto::apps {

struct NuscenesTree {
  std::filesystem::path root;  // holds samples/ and VERSION/
  std::string version;         // "v1.0-mini"

  std::filesystem::path table(const std::string& name) const { return root / version / (name + ".json"); }
};

// Calls visit() for each row of a table, in its order, with those of the row's values alone that are named in
// `fields`; reads the file once, in pieces, and keeps one row. Messages of the row begin with "FILE: row 17",
// the first row being 1; where a row lacks a field, the row's get() says so. Error{File} where there is no
// such table; Error{Format} for what is not valid JSON or breaks off, names the byte; for what is no list of
// objects, and for rows beyond kMaxRowBytes or kMaxRowNesting.
void for_each_row(const std::filesystem::path& table, std::initializer_list<const char*> fields,
                  const std::function<void(const JsonObject& row)>& visit);

inline constexpr uint64_t kMaxRowBytes = 1 << 20;
inline constexpr int kMaxRowNesting = 8;

}  // namespace tyto::apps
