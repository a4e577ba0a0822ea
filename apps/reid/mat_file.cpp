#include "apps/reid/mat_file.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "files/file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

constexpr uint64_t kMaxBytes = 16'000'000;  // of a file, and of what a compressed array becomes
constexpr int kMaxNesting = 8;
constexpr size_t kHeaderBytes = 128, kTagBytes = 8;

enum Type : uint32_t {
  kInt8 = 1,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kSingle,
  kDouble = 9,
  kInt64 = 12,
  kUint64,
  kMatrix,
  kCompressed,
};
enum Class : uint8_t { kCells = 1, kFirstNumeric = 6, kLastNumeric = 15 };  // double ... uint64
constexpr uint32_t kComplex = 0x0800;

struct Element {
  uint32_t type = 0;
  std::string_view bytes;
};

class Reader {
 public:
  Reader(const std::filesystem::path& path, const std::string& name) : path_(path), name_(name) {}

  MatArray read() const {
    const std::string file = read_bytes(path_, kMaxBytes);
    check_header(file);
    std::string_view rest = std::string_view(file).substr(kHeaderBytes);
    while (!rest.empty()) {
      const Element element = next(rest);
      const std::string inflated = element.type == kCompressed ? inflate(element.bytes) : std::string();
      std::string_view inner = inflated;
      const Element matrix = element.type == kCompressed ? next(inner) : element;
      if (matrix.type == kMatrix && name_of(matrix.bytes) == name_) return array(matrix.bytes, kMaxNesting);
    }
    bad(fmt::format("has no array '{}'", name_));
  }

 private:
  [[noreturn]] void bad(const std::string& what) const {
    throw Error(ErrorKind::Format, fmt::format("{}: {}", path_.string(), what));
  }
  [[noreturn]] void cut_off() const { bad("a damaged or truncated MAT-file"); }

  void check_header(const std::string& file) const {
    if (!file.starts_with("MATLAB ") || file.size() < kHeaderBytes) bad("not a MAT-file");
    const std::string_view version_and_order = std::string_view(file).substr(124, 4);
    if (version_and_order != std::string_view("\0\1IM", 4))
      bad("a MAT-file of another version or byte order; save it with MATLAB's -v7 on an x86 machine");
  }

  // Takes an element off the front of `from`.
  Element next(std::string_view& from) const {
    if (from.size() < kTagBytes) cut_off();
    uint32_t tag[2];
    std::memcpy(tag, from.data(), sizeof tag);
    if (const uint32_t small = tag[0] >> 16; small != 0) {  // up to four bytes, in the tag itself
      if (small > 4) cut_off();
      const Element element{tag[0] & 0xFFFF, from.substr(4, small)};
      from.remove_prefix(kTagBytes);
      return element;
    }
    from.remove_prefix(kTagBytes);
    if (tag[1] > from.size()) cut_off();
    const Element element{tag[0], from.substr(0, tag[1])};
    const size_t padded = tag[0] == kCompressed ? tag[1] : (size_t{tag[1]} + 7) / 8 * 8;
    from.remove_prefix(std::min(padded, from.size()));
    return element;
  }

  std::string inflate(std::string_view from) const {
    std::string to;
    z_stream stream{};
    if (inflateInit(&stream) != Z_OK)
      throw Error(ErrorKind::Memory, "no memory to decompress " + path_.string());
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data()));
    stream.avail_in = static_cast<uInt>(from.size());
    int state = Z_OK;
    while (state == Z_OK && to.size() < kMaxBytes) {
      const size_t had = to.size();
      to.resize(had + (size_t{1} << 18));
      stream.next_out = reinterpret_cast<Bytef*>(to.data() + had);
      stream.avail_out = static_cast<uInt>(to.size() - had);
      state = ::inflate(&stream, Z_NO_FLUSH);
      to.resize(to.size() - stream.avail_out);
    }
    inflateEnd(&stream);
    if (state == Z_OK) bad(fmt::format("an array of it passes the limit of {} bytes", kMaxBytes));
    if (state != Z_STREAM_END) cut_off();
    return to;
  }

  std::string_view name_of(std::string_view matrix) const {
    if (matrix.empty()) return {};
    next(matrix);
    next(matrix);
    return next(matrix).bytes;
  }

  MatArray array(std::string_view matrix, int nesting) const {
    MatArray array;
    if (matrix.empty()) return array;  // how MATLAB writes an empty cell
    if (nesting == 0) bad(fmt::format("its array '{}' is nested too deep", name_));
    const Element flags = next(matrix), size = next(matrix);
    next(matrix);  // the name
    if (flags.bytes.size() < sizeof(uint32_t)) cut_off();
    uint32_t word = 0;
    std::memcpy(&word, flags.bytes.data(), sizeof word);
    const auto kind = static_cast<uint8_t>(word);
    if (size.type != kInt32 || size.bytes.size() != 2 * sizeof(int32_t))
      bad(fmt::format("its array '{}' has parts that are no matrices", name_));
    int32_t dims[2];
    std::memcpy(dims, size.bytes.data(), sizeof dims);
    if (dims[0] < 0 || dims[1] < 0) cut_off();
    array.rows = dims[0];
    array.columns = dims[1];
    const uint64_t count = static_cast<uint64_t>(dims[0]) * static_cast<uint64_t>(dims[1]);
    if (kind == kCells) {
      array.of_cells = true;
      if (count > matrix.size() / kTagBytes) cut_off();
      for (uint64_t i = 0; i < count; ++i) {
        const Element cell = next(matrix);
        if (cell.type != kMatrix) cut_off();
        array.cells.push_back(this->array(cell.bytes, nesting - 1));
      }
    } else if (kind >= kFirstNumeric && kind <= kLastNumeric && !(word & kComplex)) {
      array.numbers = numbers(next(matrix));
      if (array.numbers.size() != count) cut_off();
    } else {
      bad(fmt::format("its array '{}' holds other things than real numbers and cells", name_));
    }
    return array;
  }

  // MATLAB stores numbers in the smallest type that holds them all, whatever the array's class.
  std::vector<double> numbers(const Element& from) const {
    const auto as = [&]<class T>(T value) {
      if (from.bytes.size() % sizeof(T) != 0) cut_off();
      std::vector<double> all;
      all.reserve(from.bytes.size() / sizeof(T));
      for (size_t at = 0; at < from.bytes.size(); at += sizeof(T)) {
        std::memcpy(&value, from.bytes.data() + at, sizeof(T));
        all.push_back(static_cast<double>(value));
      }
      return all;
    };
    switch (from.type) {
      case kInt8:
        return as(int8_t{});
      case kUint8:
        return as(uint8_t{});
      case kInt16:
        return as(int16_t{});
      case kUint16:
        return as(uint16_t{});
      case kInt32:
        return as(int32_t{});
      case kUint32:
        return as(uint32_t{});
      case kSingle:
        return as(float{});
      case kDouble:
        return as(double{});
      case kInt64:
        return as(int64_t{});
      case kUint64:
        return as(uint64_t{});
      default:
        cut_off();
    }
  }

  std::filesystem::path path_;
  std::string name_;
};

}  // namespace

MatArray read_mat_array(const std::filesystem::path& path, const std::string& name) {
  return Reader(path, name).read();
}

}  // namespace tyto::apps
