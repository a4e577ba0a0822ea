#include "engine/utf8.h"

#include <cstdint>

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

}  // namespace tyto
