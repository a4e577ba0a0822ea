#include "weights_converter/checkpoint/pickle_text.h"

#include <algorithm>
#include <charconv>

namespace tyto {
namespace {

// A decimal number; the sign of a negative one is dropped, for no such number means anything in a checkpoint.
PickleLong long_from_digits(std::string_view digits) {
  PickleLong out;
  for (char digit : digits) {
    if (digit == '-') continue;
    int carry = digit - '0';
    for (char& byte : out.bytes) {
      carry += static_cast<unsigned char>(byte) * 10;
      byte = static_cast<char>(carry);
      carry >>= 8;
    }
    if (carry > 0) out.bytes.push_back(static_cast<char>(carry));
  }
  return out;
}

}  // namespace

std::optional<PickleValue> parse_pickle_integer(std::string_view line) {
  if (line.ends_with('L')) line.remove_suffix(1);
  int64_t value = 0;
  const auto [end, status] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (line.empty() || end != line.data() + line.size()) return std::nullopt;
  if (status == std::errc::result_out_of_range) return PickleValue(long_from_digits(line));
  if (status != std::errc()) return std::nullopt;
  return PickleValue(value);
}

std::optional<double> parse_pickle_float(std::string_view line) {
  double value = 0;
  const auto [end, status] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (line.empty() || end != line.data() + line.size() || status != std::errc()) return std::nullopt;
  return value;
}

PickleValue pickle_long(std::string bytes) {
  const auto is_redundant = [&] {  // the last byte only repeats the sign
    const char sign = bytes[bytes.size() - 2] & '\x80' ? '\xff' : '\0';
    return bytes.back() == sign;
  };
  while (bytes.size() > sizeof(int64_t) && is_redundant()) bytes.pop_back();
  if (bytes.size() > sizeof(int64_t)) return PickleLong{std::move(bytes)};
  const bool negative = !bytes.empty() && (bytes.back() & 0x80);
  uint64_t value = negative ? ~uint64_t{0} : 0;
  for (size_t i = bytes.size(); i-- > 0;) value = (value << 8) | static_cast<uint8_t>(bytes[i]);
  return static_cast<int64_t>(value);
}

std::optional<std::string> unquote_pickle_string(std::string_view line) {
  if (line.size() < 2 || (line.front() != '\'' && line.front() != '"') || line.back() != line.front())
    return std::nullopt;
  return std::string(line.substr(1, line.size() - 2));
}

std::string latin1_to_utf8(std::string text) {
  if (std::none_of(text.begin(), text.end(), [](char c) { return c & 0x80; })) return text;
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out.push_back(c);
    } else {
      out.push_back(static_cast<char>(0xC0 | (byte >> 6)));
      out.push_back(static_cast<char>(0x80 | (byte & 0x3F)));
    }
  }
  return out;
}

}  // namespace tyto
