// Checkpoints of PyTorch before 0.1.10: a tar file with the members sys_info, pickle, storages and tensors.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "tyto/error.h"
#include "weights_converter/checkpoint/archive.h"
#include "weights_converter/checkpoint/limits.h"

namespace tyto {
namespace {

[[noreturn]] void fail(const std::string& origin, const std::string& why) {
  throw Error(ErrorKind::Format, fmt::format("{}: tar file: {}", origin, why));
}

using Members = std::unordered_map<std::string, Record>;

// A field of a tar header: text up to the first zero.
std::string_view field(const std::array<char, 512>& header, size_t at, size_t size) {
  const std::string_view text(header.data() + at, size);
  return text.substr(0, text.find('\0'));
}

uint64_t octal(std::string_view text, const std::string& origin) {
  const size_t first = text.find_first_not_of(' ');
  text = first == std::string_view::npos ? "" : text.substr(first);
  uint64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (status != std::errc() || value > (uint64_t{1} << 48)) fail(origin, "a member has no proper size");
  return value;
}

bool is_sound(const std::array<char, 512>& header, const std::string& origin) {
  constexpr size_t kSumAt = 148, kSumBytes = 8;
  uint64_t sum = kSumBytes * ' ';
  for (size_t i = 0; i < header.size(); ++i)
    if (i < kSumAt || i >= kSumAt + kSumBytes) sum += static_cast<unsigned char>(header[i]);
  return sum == octal(field(header, kSumAt, kSumBytes), origin);
}

// PAX headers may give the next member another name or size, which only some readers would follow; PyTorch's
// hold times.
void check_extended(const File& file, const Record& record) {
  constexpr uint64_t kMaxBytes = 64 << 10;
  const std::string origin = file.path().string();
  if (record.bytes > kMaxBytes) fail(origin, fmt::format("an extended header exceeds {} bytes", kMaxBytes));
  std::string text(static_cast<size_t>(record.bytes), '\0');
  file.read(record.begin, std::as_writable_bytes(std::span(text)));
  for (const char* key : {" size=", " path=", " GNU.sparse"})
    if (text.find(key) != std::string::npos)
      fail(origin, fmt::format("an extended header changes the next member by '{}'", key + 1));
}

Members read_members(const File& file) {
  constexpr uint64_t kBlock = 512;
  const std::string origin = file.path().string();
  Members members;
  std::array<char, kBlock> header;
  for (uint64_t at = 0, count = 0;; ++count) {
    if (at + kBlock > file.size()) fail(origin, "it does not close with a block of zeros; it is truncated");
    if (count > limits::kMaxRecords) fail(origin, fmt::format("more than {} members", limits::kMaxRecords));
    file.read(at, std::as_writable_bytes(std::span(header)));
    if (header[0] == '\0') break;
    if (!is_sound(header, origin)) fail(origin, fmt::format("the header at byte {} is damaged", at));
    const uint64_t bytes = octal(field(header, 124, 12), origin);
    const uint64_t begin = at + kBlock;
    if (bytes > file.size() - begin) fail(origin, fmt::format("the member at byte {} is truncated", at));
    std::string name(field(header, 0, 100));
    if (name.starts_with("./")) name.erase(0, 2);
    const char kind = header[156];
    const Record record{.begin = begin, .stored_bytes = bytes, .bytes = bytes};
    if (kind == 'x' || kind == 'g') check_extended(file, record);
    if ((kind == '0' || kind == '\0') && !members.emplace(name, record).second)
      fail(origin, fmt::format("member '{}' stands twice", printable(name)));
    at = begin + (bytes + kBlock - 1) / kBlock * kBlock;
  }
  return members;
}

const Record& member(const Members& members, const std::string& name, const std::string& origin) {
  const auto entry = members.find(name);
  if (entry == members.end())
    fail(origin, fmt::format("member '{}' is missing, so it is not a PyTorch checkpoint", name));
  return entry->second;
}

uint64_t read_count(PickleInput& input, PickleSpace& space) {
  const auto* count = unpickle(input, space)->as<int64_t>();
  if (!count || *count < 0 || static_cast<uint64_t>(*count) > limits::kMaxRecords)
    fail(input.origin(), fmt::format("a count that is none or exceeds {}", limits::kMaxRecords));
  return static_cast<uint64_t>(*count);
}

const PickleItems& read_items(PickleInput& input, PickleSpace& space, size_t count) {
  const PickleItems* items = items_of(*unpickle(input, space));
  if (!items || items->size() != count)
    fail(input.origin(), fmt::format("no list of {} where one belongs", count));
  return *items;
}

// n, then n times: pickle (key, location, class), element count, elements.
void read_storages(PickleInput& input, const Record& whole, Archive& archive) {
  const std::string& origin = input.origin();
  const uint64_t n = read_count(input, archive.space);
  for (uint64_t i = 0; i < n; ++i) {
    const PickleItems& items = read_items(input, archive.space, 3);
    const std::string key = storage_key(*items[0]);
    const auto* type = items[2]->as<PickleGlobal>();
    const auto element = type ? storage_element_type(type->name) : std::nullopt;
    if (!element) fail(origin, fmt::format("storage '{}' has no known class", printable(key)));
    const auto count = input.little_endian<int64_t>();
    const auto element_bytes = static_cast<uint64_t>(element->bytes);
    if (count < 0 || static_cast<uint64_t>(count) > input.remaining() / element_bytes)
      fail(origin, fmt::format("storage '{}' of {} elements is truncated", printable(key), count));
    const StoredStorage storage{
        .record = whole, .begin = input.position(), .elements = count, .type = *element};
    if (!archive.storages.emplace(key, storage).second)
      fail(origin, fmt::format("storage '{}' stands twice", printable(key)));
    input.skip(storage.bytes());
  }
}

// A pickled list of (key of the view, key of the storage, offset, elements).
void read_views(PickleInput& input, Archive& archive) {
  const std::string& origin = input.origin();
  const PickleItems* views = items_of(*unpickle(input, archive.space));
  if (!views) fail(origin, "the list of views is missing");
  for (PickleRef value : *views) {
    const PickleItems* view = items_of(*value);
    if (!view || view->size() != 4) fail(origin, "a view is no list of 4");
    const auto root = archive.storages.find(storage_key(*(*view)[1]));
    const auto *offset = (*view)[2]->as<int64_t>(), *elements = (*view)[3]->as<int64_t>();
    if (root == archive.storages.end() || !offset || !elements || *offset < 0 || *elements < 0 ||
        *offset > root->second.elements || *elements > root->second.elements - *offset)
      fail(origin, "a view lies outside its storage");
    StoredStorage storage = root->second;
    storage.begin += static_cast<uint64_t>(*offset * storage.type.bytes);
    storage.elements = *elements;
    archive.storages[storage_key(*(*view)[0])] = storage;
  }
}

std::vector<int64_t> read_longs(PickleInput& input, size_t n) {
  std::vector<int64_t> out(n);
  input.read(std::as_writable_bytes(std::span(out)));
  return out;
}

// n, then n times: pickle (key, key of the storage, class), dimensions, sizes, strides, offset.
void read_tensors(PickleInput& input, Archive& archive) {
  const std::string& origin = input.origin();
  const uint64_t n = read_count(input, archive.space);
  for (uint64_t i = 0; i < n; ++i) {
    const PickleItems& items = read_items(input, archive.space, 3);
    const std::string key = storage_key(*items[0]);
    const auto storage = archive.storages.find(storage_key(*items[1]));
    if (storage == archive.storages.end())
      fail(origin, fmt::format("tensor '{}' lies in no storage", printable(key)));
    const auto rank = input.little_endian<uint32_t>();
    if (rank > limits::kMaxRank)
      fail(origin, fmt::format("tensor '{}' has {} dimensions, more than {}", printable(key), rank,
                               limits::kMaxRank));
    input.skip(sizeof rank);  // the writer counted its integer as 8 bytes
    Shape shape(read_longs(input, rank));
    std::vector<int64_t> strides = read_longs(input, rank);
    const auto offset = input.little_endian<int64_t>();
    archive.tensors[key] = {storage->second, offset, std::move(shape), std::move(strides)};
  }
}

}  // namespace

void open_tar(const File& file, Archive& archive) {
  const std::string origin = file.path().string();
  const Members members = read_members(file);
  const auto with = [&](const std::string& name, auto&& read) {
    const Record& record = member(members, name, origin);
    RecordReader reader(file, record);
    PickleInput input(reader, 0, origin);
    read(input, record);
  };
  with("storages", [&](PickleInput& input, const Record& record) {
    read_storages(input, record, archive);
    read_views(input, archive);
  });
  with("tensors", [&](PickleInput& input, const Record&) { read_tensors(input, archive); });
  with("pickle", [&](PickleInput& input, const Record& record) {
    archive.pickle = record;
    archive.object = unpickle(input, archive.space);
  });
}

}  // namespace tyto
