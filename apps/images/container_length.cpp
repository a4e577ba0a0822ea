#include "apps/images/container_length.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <string_view>

namespace tyto::apps {
namespace {

// Up to 12 bytes from `offset` on; what lies beyond the end is 0.
std::array<std::byte, 12> bytes_at(const File& file, uint64_t offset) {
  std::array<std::byte, 12> bytes{};
  if (offset >= file.size()) return bytes;
  file.read(offset, std::span(bytes).first(std::min<uint64_t>(bytes.size(), file.size() - offset)));
  return bytes;
}

bool begins_with(std::span<const std::byte> bytes, std::string_view text) {
  return std::ranges::equal(bytes.first(text.size()), std::as_bytes(std::span(text)));
}

// Files of more than a gigabyte are a row of chunks. A writer that was stopped leaves 0 or a filler near 2^31
// or 2^32.
std::optional<uint64_t> length_of_riff(const File& file) {
  constexpr uint64_t kHead = 8, kFillers = 0x7FFFFF00;
  uint64_t end = 0;
  for (;;) {
    const auto head = bytes_at(file, end);
    if (!begins_with(head, "RIFF")) break;
    uint64_t size = 0;
    for (size_t i = 8; i-- > 4;) size = size << 8 | std::to_integer<uint64_t>(head[i]);
    if (size == 0 || size >= kFillers) return std::nullopt;
    end += kHead + size;
  }
  return end;
}

struct EbmlElement {
  uint64_t id = 0;  // 0: none
  uint64_t begin = 0;
  std::optional<uint64_t> end;  // nothing: unknown
};

// Numbers of EBML tell by their leading zeros how many bytes they have; a size all of ones is unknown.
EbmlElement element_at(const File& file, uint64_t offset) {
  const auto bytes = bytes_at(file, offset);
  size_t at = 0;
  const auto number = [&](bool keep_marker) {
    const auto first = std::to_integer<uint8_t>(bytes[at]);
    const int length = std::countl_zero(first) + 1;
    if (length > 8 || at + static_cast<size_t>(length) > bytes.size()) return uint64_t{0};
    uint64_t value = keep_marker ? first : first & (0xFFU >> length);
    for (int i = 1; i < length; ++i) value = value << 8 | std::to_integer<uint64_t>(bytes[at + i]);
    at += static_cast<size_t>(length);
    return !keep_marker && value == (uint64_t{1} << 7 * length) - 1 ? ~uint64_t{0} : value;
  };
  EbmlElement element{.id = number(true)};
  const uint64_t size = number(false);
  element.begin = offset + at;
  if (size != ~uint64_t{0}) element.end = element.begin + size;
  return element;
}

std::optional<uint64_t> length_of_matroska(const File& file) {
  constexpr uint64_t kHeader = 0x1A45DFA3, kSegment = 0x18538067;
  const EbmlElement header = element_at(file, 0);
  if (header.id != kHeader || !header.end) return std::nullopt;
  const EbmlElement segment = element_at(file, *header.end);
  return segment.id == kSegment ? segment.end : std::nullopt;
}

}  // namespace

std::optional<uint64_t> container_length(const File& file) {
  const auto head = bytes_at(file, 0);
  return begins_with(head, "RIFF") ? length_of_riff(file) : length_of_matroska(file);
}

}  // namespace tyto::apps
