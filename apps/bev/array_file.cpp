#include "apps/bev/array_file.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <functional>
#include <vector>

#include "files/file.h"
#include "files/safetensors.h"
#include "tyto/error.h"
#include "weights_converter/checkpoint/record.h"
#include "weights_converter/checkpoint/zip_directory.h"

namespace tyto::apps {
namespace {

constexpr std::array<std::string_view, 3> kExtensions = {".safetensors", ".npz", ".npy"};
constexpr size_t kMaxRank = 8;
constexpr uint64_t kMaxHeaderBytes = 1 << 16;

// The bytes of a .npy file, which may lie in a .npz file.
struct Bytes {
  std::string where;  // for messages
  uint64_t size = 0;
  std::function<void(uint64_t offset, std::span<std::byte> into)> read;

  [[noreturn]] void fail(ErrorKind kind, const std::string& what) const {
    throw Error(kind, where + ' ' + what);
  }
};

struct NpyType {
  const char* name;
  DType type;
};
constexpr NpyType kTypes[] = {{"f4", DType::F32}, {"f8", DType::F64}, {"f2", DType::F16},
                              {"i8", DType::I64}, {"i4", DType::I32}, {"i2", DType::I16},
                              {"i1", DType::I8},  {"u1", DType::U8},  {"b1", DType::Bool}};

DType type_of(const Bytes& bytes, const std::string& order, const std::string& name) {
  const auto* row = std::ranges::find(kTypes, name, &NpyType::name);
  if (order == ">" || row == std::end(kTypes))
    bytes.fail(ErrorKind::Unsupported,
               fmt::format("holds numbers of the type '{}{}'; save them as float32 or uint8", order, name));
  return row->type;
}

Shape shape_of(const Bytes& bytes, const std::string& text) {
  std::vector<int64_t> sizes;
  for (const char *at = text.data(), *end = at + text.size(); at != end;) {
    if (*at == ' ' || *at == ',') {
      ++at;
      continue;
    }
    int64_t size = 0;
    const auto [stop, error] = std::from_chars(at, end, size);
    if (error != std::errc()) bytes.fail(ErrorKind::Format, "has a size that is too large");
    sizes.push_back(size);
    at = stop;
  }
  if (sizes.size() > kMaxRank)
    bytes.fail(ErrorKind::Unsupported,
               fmt::format("has {} dimensions; at most {} are read", sizes.size(), kMaxRank));
  return Shape(std::move(sizes));
}

// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
Tensor read_npy(const Bytes& bytes) {
  constexpr std::array<unsigned char, 6> kMagic = {0x93, 'N', 'U', 'M', 'P', 'Y'};
  std::array<unsigned char, 12> start{};
  if (bytes.size < start.size()) bytes.fail(ErrorKind::Format, "is no array of numpy: it breaks off");
  bytes.read(0, std::as_writable_bytes(std::span(start)));
  if (!std::equal(kMagic.begin(), kMagic.end(), start.begin()) || start[6] < 1 || start[6] > 3)
    bytes.fail(ErrorKind::Format, "is no array of numpy");
  const bool short_length = start[6] == 1;
  const uint64_t begin = short_length ? 10 : 12;
  uint64_t length = start[8] + (uint64_t{start[9]} << 8);
  if (!short_length) length += (uint64_t{start[10]} << 16) + (uint64_t{start[11]} << 24);
  if (length > kMaxHeaderBytes || begin + length > bytes.size)
    bytes.fail(ErrorKind::Format, "is no array of numpy: its header breaks off");
  std::string header(length, '\0');
  bytes.read(begin, std::as_writable_bytes(std::span(header)));

  static const re2::RE2 kDescription(R"('descr':\s*'([<>|=]?)(\w+)')"),
      kOrder(R"('fortran_order':\s*(True|False))"), kShape(R"('shape':\s*\(([0-9, ]*)\))");
  std::string byte_order, type_name, column_major, sizes;
  if (!re2::RE2::PartialMatch(header, kDescription, &byte_order, &type_name) ||
      !re2::RE2::PartialMatch(header, kOrder, &column_major) ||
      !re2::RE2::PartialMatch(header, kShape, &sizes))
    bytes.fail(ErrorKind::Format, "has a header that is not numpy's, or an array of records");
  const Shape shape = shape_of(bytes, sizes);
  const DType type = type_of(bytes, byte_order, type_name);
  if (column_major == "True" && shape.rank() > 1)
    bytes.fail(ErrorKind::Unsupported, "is stored column by column; save numpy.ascontiguousarray() of it");
  const uint64_t held = bytes.size - begin - length;
  if (static_cast<uint64_t>(shape.elements()) > held ||
      static_cast<uint64_t>(shape.elements() * size_of(type)) != held)
    bytes.fail(ErrorKind::Format, fmt::format("has {} bytes of numbers, which is not what its shape {} needs",
                                              held, shape.str()));
  Tensor tensor(type, shape);
  bytes.read(begin + length, {tensor.data(), static_cast<size_t>(tensor.bytes())});
  return tensor;
}

// The array called so, or the only one.
std::string chosen(const std::vector<std::string>& names, const std::string& wanted,
                   const std::string& file) {
  if (std::ranges::find(names, wanted) != names.end()) return wanted;
  if (names.size() == 1) return names.front();
  throw Error(ErrorKind::Format,
              fmt::format("{} holds {} arrays, of which none is called '{}'", file, names.size(), wanted));
}

Tensor read_npz(const File& file, const std::string& name) {
  constexpr std::string_view kSuffix = ".npy";
  const ZipDirectory directory = read_zip_directory(file);
  std::vector<std::string> names;
  for (const auto& [entry, record] : directory.records)
    if (entry.ends_with(kSuffix)) names.push_back(entry.substr(0, entry.size() - kSuffix.size()));
  const std::string array = chosen(names, name, file.path().string());
  const Record& record = directory.records.at(array + std::string(kSuffix));
  RecordReader reader(file, record);
  return read_npy({fmt::format("{}: '{}'", file.path().string(), array), record.bytes,
                   [&](uint64_t offset, std::span<std::byte> into) { reader.read(offset, into); }});
}

}  // namespace

Tensor read_array(const std::filesystem::path& path, const std::string& name) {
  if (path.extension() == ".safetensors") {
    const SafetensorsFile file(path);
    return file.read(chosen(file.names(), name, path.string()));
  }
  const File file(path);
  if (path.extension() == ".npz") return read_npz(file, name);
  return read_npy({path.string(), file.size(),
                   [&](uint64_t offset, std::span<std::byte> into) { file.read(offset, into); }});
}

std::optional<std::filesystem::path> find_array(const std::filesystem::path& stem) {
  for (const std::string_view extension : kExtensions)
    if (std::filesystem::path file = stem.string() + std::string(extension); std::filesystem::exists(file))
      return file;
  return std::nullopt;
}

bool is_array_file(const std::filesystem::path& file) {
  return std::ranges::find(kExtensions, file.extension().string()) != kExtensions.end();
}

}  // namespace tyto::apps
