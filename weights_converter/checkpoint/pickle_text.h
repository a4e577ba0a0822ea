// The textual arguments of old pickle opcodes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "weights_converter/checkpoint/pickle_value.h"

namespace tyto {

// "12", "-7L". nullopt where it is no number.
std::optional<PickleValue> parse_pickle_integer(std::string_view line);
std::optional<double> parse_pickle_float(std::string_view line);
// Little-endian two's complement as LONG1 holds it: an int64_t where it fits, else a PickleLong.
PickleValue pickle_long(std::string bytes);
// 'text' or "text"; escapes are left as they stand, since no tensor's name needs one. nullopt without quotes.
std::optional<std::string> unquote_pickle_string(std::string_view line);
std::string latin1_to_utf8(std::string text);

}  // namespace tyto
