#include "engine/json_text.h"

#include "tyto/error.h"

namespace tyto {

using nlohmann::ordered_json;

ordered_json parse_json(const std::string& text, int max_nesting, const std::string& what) {
  const auto check_depth = [&](int depth, ordered_json::parse_event_t, ordered_json&) {
    if (depth > max_nesting) throw Error(ErrorKind::Format, what + " is nested too deeply");
    return true;
  };
  try {
    return ordered_json::parse(text, check_depth);
  } catch (const ordered_json::exception&) {
    throw Error(ErrorKind::Format, what + " is not valid JSON");
  }
}

std::string dump_json(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace tyto
