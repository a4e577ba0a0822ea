// UTF-8: what text files are read as; names end up in JSON.
#pragma once

#include <string>
#include <string_view>

namespace tyto {

bool is_utf8(std::string_view text);  // strict: no surrogates, no overlong forms

// Takes the byte order mark, with which editors on Windows begin a text, off it. Error{Format}, beginning
// with `name`, where the mark is that of UTF-16 or UTF-32.
void take_off_mark(std::string& text, const std::string& name);

}  // namespace tyto
