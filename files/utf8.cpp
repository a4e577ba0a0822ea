#include "files/utf8.h"

#include <fmt/format.h>

#include <cstdint>

#include "tyto/error.h"

namespace tyto {

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i++]);
    if (lead < 0x80) continue;
    const int followers = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4) return false;
    uint32_t code = lead & (0x3Fu >> followers);
    for (int f = 0; f < followers; ++f, ++i) {
      if (i >= text.size() || (static_cast<uint8_t>(text[i]) & 0xC0) != 0x80) return false;
      code = (code << 6) | (static_cast<uint8_t>(text[i]) & 0x3Fu);
    }
    const bool overlong = (followers == 2 && code < 0x800) || (followers == 3 && code < 0x10000);
    if (overlong || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
  }
  return true;
}

void take_off_mark(std::string& text, const std::string& name) {
  using namespace std::string_view_literals;
  if (text.starts_with("\xEF\xBB\xBF"sv)) text.erase(0, 3);
  for (const std::string_view mark : {"\xFF\xFE"sv, "\xFE\xFF"sv, "\0\0\xFE\xFF"sv})
    if (text.starts_with(mark))
      throw Error(
          ErrorKind::Format,
          fmt::format("{}: its text is UTF-16 or UTF-32, by its byte order mark; save it as UTF-8", name));
}

}  // namespace tyto
