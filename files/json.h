// JSON as it comes in and goes out.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace tyto {

// Text that a stranger may have written. Error{Format} begins with `what`: not valid, or nested deeper than
// `max_nesting` (nlohmann::json recurses where it copies and prints).
nlohmann::ordered_json parse_json(const std::string& text, int max_nesting, const std::string& what);

// One line. File names need not be UTF-8: bytes that are not become U+FFFD.
std::string dump_json(const nlohmann::ordered_json& value);

}  // namespace tyto
