// UTF-8 validity: names end up in JSON.
#pragma once

#include <string_view>

namespace tyto {

bool is_utf8(std::string_view text);  // strict: no surrogates, no overlong forms

}  // namespace tyto
