#include "files/json.h"

#include <algorithm>

#include "tyto/error.h"

namespace tyto {

using nlohmann::ordered_json;

namespace {

// Brackets open at once; what stands in strings does not count.
int nesting(const std::string& text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"')
      in_string = !in_string;
    else if (in_string)
      i += c == '\\';  // and what it escapes
    else if (c == '[' || c == '{')
      deepest = std::max(deepest, ++depth);
    else if (c == ']' || c == '}')
      --depth;
  }
  return deepest;
}

}  // namespace

// Counted beforehand: nlohmann's callbacks take time that is quadratic in the length of a list of objects.
ordered_json parse_json(const std::string& text, int max_nesting, const std::string& what) {
  if (nesting(text) > max_nesting) throw Error(ErrorKind::Format, what + " is nested too deeply");
  try {
    return ordered_json::parse(text);
  } catch (const ordered_json::exception&) {
    throw Error(ErrorKind::Format, what + " is not valid JSON");
  }
}

std::string dump_json(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace tyto
