#include "files/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <tuple>

namespace tyto {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr int kMaxNesting = 4;                     // header, entry, list
constexpr size_t kMaxRank = 16;
constexpr uint64_t kDataAlignment = 64;

std::optional<DType> dtype_from(const std::string& name) {
  for (DType t : {DType::F32, DType::F16, DType::BF16, DType::F64, DType::I64, DType::I32, DType::I16,
                  DType::I8, DType::U8, DType::Bool})
    if (name == name_of(t)) return t;
  return std::nullopt;
}

// The bits of an element of the format's other types; nullopt for one that is newer than this table.
std::optional<uint64_t> foreign_bits(const std::string& name) {
  static const std::map<std::string, uint64_t> bits = {
      {"U16", 16},        {"U32", 32},    {"U64", 64},    {"C64", 64},        {"F8_E4M3", 8}, {"F8_E5M2", 8},
      {"F8_E4M3FNUZ", 8}, {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F8_E5M2FNUZ", 8}, {"F6_E3M2", 6}, {"F4", 4}};
  const auto it = bits.find(name);
  return it == bits.end() ? std::nullopt : std::optional(it->second);
}

// Parses the header, refusing what nlohmann would accept silently: duplicate keys and deep nesting.
json parse_header(const std::string& text, const std::string& origin) {
  std::vector<std::vector<std::string>> keys;
  const auto callback = [&](int depth, json::parse_event_t event, json& value) {
    if (depth > kMaxNesting)
      throw Error(ErrorKind::Format, fmt::format("{}: header nested too deeply", origin));
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) {
      auto& seen = keys.back();
      std::sort(seen.begin(), seen.end());
      const auto twice = std::adjacent_find(seen.begin(), seen.end());
      if (twice != seen.end())
        throw Error(ErrorKind::Format, fmt::format("{}: '{}' stands twice in the header", origin, *twice));
      keys.pop_back();
    }
    if (event == json::parse_event_t::key) keys.back().push_back(value.get<std::string>());
    return true;
  };
  try {
    return json::parse(text, callback);
  } catch (const json::exception&) {
    throw Error(ErrorKind::Format, fmt::format("{}: its safetensors header is not valid JSON", origin));
  }
}

uint64_t as_size(const json& value, const std::string& where) {
  if (!value.is_number_unsigned())
    throw Error(ErrorKind::Format, fmt::format("{}: not a whole number", where));
  return value.get<uint64_t>();
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path) {
  const std::string name = path.string();
  uint64_t header_bytes = 0;
  if (file_.size() < sizeof header_bytes)
    throw Error(ErrorKind::Format,
                fmt::format("{}: {} bytes are too few for a safetensors file", name, file_.size()));
  file_.read(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
  if (header_bytes > kMaxHeaderBytes || header_bytes > file_.size() - sizeof header_bytes)
    throw Error(ErrorKind::Format,
                fmt::format("{}: not a safetensors file, or truncated in its header", name));

  std::string text(header_bytes, '\0');
  file_.read(sizeof header_bytes, std::as_writable_bytes(std::span(text)));
  const json header = parse_header(text, name);
  if (!header.is_object())
    throw Error(ErrorKind::Format, fmt::format("{}: its safetensors header is not an object", name));

  const uint64_t data = data_begin_ = sizeof header_bytes + header_bytes;
  for (const auto& [key, value] : header.items()) {
    const std::string where = fmt::format("{}: '{}'", name, key);
    if (!value.is_object()) throw Error(ErrorKind::Format, where + " is not an object");
    if (key == "__metadata__") {
      for (const auto& [k, v] : value.items()) {
        if (!v.is_string())
          throw Error(ErrorKind::Format, fmt::format("{}: metadata '{}' is not a string", name, k));
        metadata_[k] = v.get<std::string>();
      }
      continue;
    }
    const auto dtype = value.find("dtype"), shape = value.find("shape"), offsets = value.find("data_offsets");
    if (dtype == value.end() || !dtype->is_string() || shape == value.end() || !shape->is_array() ||
        shape->size() > kMaxRank || offsets == value.end() || !offsets->is_array() || offsets->size() != 2)
      throw Error(ErrorKind::Format, where + " lacks a proper dtype, shape or data_offsets");
    Entry e;
    const std::string type = dtype->get<std::string>();
    const std::optional<DType> known = dtype_from(type);
    e.spec.dtype = known.value_or(DType::F32);
    if (!known) e.spec.foreign_type = type;
    std::vector<int64_t> dims;
    for (const json& d : *shape) {
      const uint64_t size = as_size(d, where + ": shape");
      if (size > (uint64_t{1} << 48)) throw Error(ErrorKind::Format, where + " has an absurd shape");
      dims.push_back(static_cast<int64_t>(size));
    }
    e.spec.shape = Shape(std::move(dims));
    const uint64_t begin = as_size((*offsets)[0], where + ": data_offsets"),
                   end = as_size((*offsets)[1], where + ": data_offsets");
    if (begin > end || end > file_.size() - data)
      throw Error(ErrorKind::Format,
                  fmt::format("{} lies outside the file ({} bytes); the file is truncated or altered", where,
                              file_.size()));
    const auto elements = static_cast<uint64_t>(e.spec.shape.elements());  // at most 2^62
    const std::optional<uint64_t> bits =
        known ? std::optional(8 * static_cast<uint64_t>(size_of(*known))) : foreign_bits(type);
    const uint64_t bytes = end - begin;  // of a file, so that bytes * 8 does not overflow
    if (bits && (bytes * 8 % *bits != 0 || bytes * 8 / *bits != elements))
      throw Error(ErrorKind::Format, fmt::format("{} has {} bytes, which {} {} does not", where, bytes, type,
                                                 e.spec.shape.str()));
    e.begin = data + begin;
    e.end = data + end;
    entries_.emplace(key, std::move(e));
  }

  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const auto& [key, e] : entries_) ranges.emplace_back(e.begin, e.end);
  std::sort(ranges.begin(), ranges.end());
  uint64_t at = data;
  for (const auto& [begin, end] : ranges) {
    if (begin != at)
      throw Error(ErrorKind::Format, fmt::format("{}: its tensors leave a hole or overlap at byte {}", name,
                                                 std::min(at, begin)));
    at = end;
  }
  if (at != file_.size())
    throw Error(ErrorKind::Format,
                fmt::format("{}: {} bytes follow the last tensor", name, file_.size() - at));
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> out;
  for (const auto& [name, e] : entries_) out.push_back(name);
  const auto place = [&](const std::string& name) {  // empty tensors may begin where others do
    const Entry& e = entries_.at(name);
    return std::tuple(e.begin, e.end, name);
  };
  std::sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return out;
}

std::optional<TensorSpec> SafetensorsFile::find(const std::string& name) const {
  const auto it = entries_.find(name);
  return it == entries_.end() ? std::nullopt : std::optional(it->second.spec);
}

const SafetensorsFile::Entry& SafetensorsFile::entry(const std::string& name) const {
  const auto it = entries_.find(name);
  if (it == entries_.end())
    throw Error(ErrorKind::Format, fmt::format("{} has no tensor '{}'", origin(), name));
  return it->second;
}

const SafetensorsFile::Entry& SafetensorsFile::readable(const std::string& name) const {
  const Entry& e = entry(name);
  if (!e.spec.foreign_type.empty())
    throw Error(ErrorKind::Unsupported, fmt::format("{}: '{}' is of type {}, which tyto cannot hold",
                                                    origin(), name, e.spec.foreign_type));
  return e;
}

Tensor SafetensorsFile::read(const std::string& name) const {
  const Entry& e = readable(name);
  Tensor t(e.spec.dtype, e.spec.shape);
  file_.read(e.begin, {t.data(), static_cast<size_t>(t.bytes())});
  return t;
}

Tensor SafetensorsFile::read_rows(const std::string& name, int64_t first, int64_t count) const {
  const Entry& e = readable(name);
  Shape shape = e.spec.shape;
  if (shape.rank() == 0 || first < 0 || count < 0 || first > shape[0] - count)
    throw Error(ErrorKind::Shape, fmt::format("{}: rows {} to {} of '{}', which is {}", origin(), first,
                                              first + count, name, shape.str()));
  const uint64_t row = shape[0] == 0 ? 0 : (e.end - e.begin) / static_cast<uint64_t>(shape[0]);
  shape[0] = count;
  Tensor t(e.spec.dtype, shape);
  file_.read(e.begin + static_cast<uint64_t>(first) * row, {t.data(), static_cast<size_t>(t.bytes())});
  return t;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, Declared tensors,
                                     const std::map<std::string, std::string>& metadata)
    : file_(path), tensors_(std::move(tensors)) {
  static_assert(std::endian::native == std::endian::little);
  std::string text = header(metadata);
  text.resize((text.size() + 8 + kDataAlignment - 1) / kDataAlignment * kDataAlignment - 8, ' ');
  header_bytes_ = text.size();
  file_.write(&header_bytes_, sizeof header_bytes_);
  file_.write(text);
  for (const auto& [name, spec] : tensors_)
    data_bytes_ += static_cast<uint64_t>(spec.shape.elements() * size_of(spec.dtype));
}

std::string SafetensorsWriter::header(const std::map<std::string, std::string>& metadata) const {
  nlohmann::ordered_json h = nlohmann::ordered_json::object();
  if (!metadata.empty()) h["__metadata__"] = metadata;
  uint64_t at = 0;
  for (const auto& [name, spec] : tensors_) {
    const uint64_t bytes = static_cast<uint64_t>(spec.shape.elements() * size_of(spec.dtype));
    h[name] = {
        {"dtype", name_of(spec.dtype)}, {"shape", spec.shape.dims()}, {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  return h.dump();
}

void SafetensorsWriter::append(const std::string& name, const Tensor& tensor) {
  if (next_ >= tensors_.size() || tensors_[next_].first != name ||
      tensors_[next_].second.dtype != tensor.dtype() || tensors_[next_].second.shape != tensor.shape())
    throw Error(ErrorKind::Shape, fmt::format("'{}' {} is not the next tensor declared for {}", name,
                                              tensor.shape().str(), file_.path().string()));
  append_bytes(tensor.data(), static_cast<size_t>(tensor.bytes()));
  ++next_;
}

void SafetensorsWriter::append_bytes(const void* data, size_t bytes) {
  file_.write(data, bytes);
  written_ += bytes;
}

void SafetensorsWriter::commit() {
  if (written_ != data_bytes_)
    throw Error(ErrorKind::Shape,
                fmt::format("{}: {} of {} bytes were written", file_.path().string(), written_, data_bytes_));
  file_.commit();
}

void SafetensorsWriter::commit(const std::map<std::string, std::string>& metadata) {
  std::string text = header(metadata);
  if (text.size() > header_bytes_)
    throw Error(ErrorKind::Shape, fmt::format("{}: metadata grew while writing", file_.path().string()));
  text.resize(header_bytes_, ' ');
  file_.write_at(sizeof header_bytes_, text.data(), text.size());
  commit();
}

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors) {
  SafetensorsWriter::Declared declared;
  for (const auto& [name, tensor] : tensors) declared.push_back({name, {tensor.dtype(), tensor.shape()}});
  SafetensorsWriter writer(path, declared, {});
  for (const auto& [name, tensor] : tensors) writer.append(name, tensor);
  writer.commit();
}

}  // namespace tyto
