#include "weights_converter/checkpoint/zip_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "tyto/error.h"
#include "weights_converter/checkpoint/globals.h"
#include "weights_converter/checkpoint/limits.h"

namespace tyto {
namespace {

// Field offsets are those of PKWARE's APPNOTE.TXT 6.3.10, section 4.3.
constexpr uint32_t kLocalSignature = 0x04034b50, kCentralSignature = 0x02014b50, kEndSignature = 0x06054b50,
                   kEnd64Signature = 0x06064b50, kLocator64Signature = 0x07064b50;
constexpr uint64_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56,
                   kLocator64Bytes = 20;
constexpr uint16_t kZip64Extra = 0x0001;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // "the real value is in the ZIP64 field"
constexpr uint16_t kEncrypted = 0x0001, kDescriptorFollows = 0x0008;
constexpr uint16_t kStored = 0, kDeflated = 8;

template <class T>
T load(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

struct Entry {
  std::string name;
  uint16_t flags = 0, method = 0;
  uint64_t packed = 0, bytes = 0, local = 0;
};

class Reader {
 public:
  explicit Reader(const File& file) : file_(file) {}

  ZipDirectory read() {
    find_directory();
    const std::vector<Entry> entries = read_entries();
    ZipDirectory directory;
    if (!entries.empty()) directory.first = entries.front().name;
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    for (const Entry& entry : entries) {
      const Record record = locate(entry);
      ranges.emplace_back(entry.local, record.begin + record.stored_bytes);
      if (!directory.records.emplace(entry.name, record).second) fail(entry, "stands twice");
    }
    std::sort(ranges.begin(), ranges.end());
    for (size_t i = 1; i < ranges.size(); ++i)
      if (ranges[i].first < ranges[i - 1].second)
        fail(fmt::format("two entries overlap at byte {}", ranges[i].first));
    return directory;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw Error(ErrorKind::Format, fmt::format("{}: zip file: {}", file_.path().string(), why));
  }
  [[noreturn]] void fail(const Entry& entry, std::string_view why) const {
    fail(fmt::format("entry '{}' {}", printable(entry.name), why));
  }

  std::string bytes(uint64_t at, uint64_t count) const {
    if (at > file_.size() || count > file_.size() - at)
      fail(fmt::format("{} bytes at byte {} lie outside the file ({} bytes); it is truncated or altered",
                       count, at, file_.size()));
    std::string out(static_cast<size_t>(count), '\0');
    file_.read(at, std::as_writable_bytes(std::span(out)));
    return out;
  }

  // The end record must close the file: a comment could hold a second one.
  void find_directory() {
    if (file_.size() < kEndBytes) fail("it is truncated");
    const uint64_t end_at = file_.size() - kEndBytes;
    const std::string end = bytes(end_at, kEndBytes);
    if (load<uint32_t>(end, 0) != kEndSignature || load<uint16_t>(end, 20) != 0)
      fail("it does not close with its directory; it is truncated, or something was appended");
    if (load<uint16_t>(end, 4) != 0 || load<uint16_t>(end, 6) != 0) fail("it spans several disks");
    count_ = load<uint16_t>(end, 10);
    directory_bytes_ = load<uint32_t>(end, 12);
    directory_at_ = load<uint32_t>(end, 16);
    uint64_t directory_end = end_at;
    if (end_at >= kLocator64Bytes) {
      const std::string locator = bytes(end_at - kLocator64Bytes, kLocator64Bytes);
      if (load<uint32_t>(locator, 0) == kLocator64Signature)
        directory_end = read_end64(load<uint64_t>(locator, 8), end_at - kLocator64Bytes);
    }
    if (directory_at_ > directory_end || directory_bytes_ != directory_end - directory_at_)
      fail("its directory does not reach from where it should to its end record");
    if (count_ > limits::kMaxRecords || directory_bytes_ > limits::kMaxZipDirectoryBytes)
      fail(fmt::format("it has more than {} entries or a directory beyond {} bytes", limits::kMaxRecords,
                       limits::kMaxZipDirectoryBytes));
  }

  // Returns where the ZIP64 end record begins. Its values must be those of the plain one unless that defers.
  uint64_t read_end64(uint64_t at, uint64_t end) {
    if (at > end || end - at < kEnd64Bytes) fail("its ZIP64 end record lies elsewhere than its locator says");
    const std::string record = bytes(at, kEnd64Bytes);
    if (load<uint32_t>(record, 0) != kEnd64Signature || load<uint64_t>(record, 4) != end - at - 12)
      fail("its ZIP64 end record is damaged");
    const auto settle = [&](uint64_t plain, uint64_t deferred, uint64_t wide) {
      if (plain != deferred && plain != wide) fail("its two end records disagree");
      return wide;
    };
    count_ = settle(count_, 0xFFFF, load<uint64_t>(record, 32));
    directory_bytes_ = settle(directory_bytes_, kIn64, load<uint64_t>(record, 40));
    directory_at_ = settle(directory_at_, kIn64, load<uint64_t>(record, 48));
    return at;
  }

  std::vector<Entry> read_entries() const {
    const std::string all = bytes(directory_at_, directory_bytes_);
    std::string_view rest = all;
    std::vector<Entry> entries;
    while (!rest.empty()) {
      if (rest.size() < kCentralBytes || load<uint32_t>(rest, 0) != kCentralSignature)
        fail("its directory is damaged");
      const size_t name = load<uint16_t>(rest, 28), extra = load<uint16_t>(rest, 30),
                   comment = load<uint16_t>(rest, 32);
      if (rest.size() - kCentralBytes < name + extra + comment) fail("its directory is damaged");
      Entry entry{.name = std::string(rest.substr(kCentralBytes, name)),
                  .flags = load<uint16_t>(rest, 8),
                  .method = load<uint16_t>(rest, 10),
                  .packed = load<uint32_t>(rest, 20),
                  .bytes = load<uint32_t>(rest, 24),
                  .local = load<uint32_t>(rest, 42)};
      if (load<uint16_t>(rest, 34) != 0) fail(entry, "lies on another disk");
      widen(entry, rest.substr(kCentralBytes + name, extra), true);
      entries.push_back(std::move(entry));
      rest.remove_prefix(kCentralBytes + name + extra + comment);
    }
    if (entries.size() != count_) fail("its directory has another number of entries than announced");
    return entries;
  }

  // Replaces deferred 32-bit fields by those of the ZIP64 extra field, which holds only these, in this order.
  void widen(Entry& entry, std::string_view extra, bool central) const {
    std::string_view wide;
    while (extra.size() >= 4) {
      const size_t size = load<uint16_t>(extra, 2);
      if (size > extra.size() - 4) fail(entry, "has a damaged extra field");
      if (load<uint16_t>(extra, 0) == kZip64Extra) {
        if (wide.data()) fail(entry, "has two ZIP64 fields");
        wide = extra.substr(4, size);
      }
      extra.remove_prefix(4 + size);
    }
    const auto replace = [&](uint64_t& field) {
      if (field != kIn64) return;
      if (wide.size() < sizeof field) fail(entry, "lacks its ZIP64 sizes");
      field = load<uint64_t>(wide, 0);
      wide.remove_prefix(sizeof field);
    };
    replace(entry.bytes);
    replace(entry.packed);
    if (central) replace(entry.local);
  }

  Record locate(const Entry& entry) const {
    if (entry.flags & kEncrypted)
      throw Error(ErrorKind::Unsupported, fmt::format("{}: zip file: entry '{}' is encrypted",
                                                      file_.path().string(), printable(entry.name)));
    if (entry.method != kStored && entry.method != kDeflated)
      throw Error(
          ErrorKind::Unsupported,
          fmt::format("{}: zip file: entry '{}' is packed by method {}; only stored and deflated entries "
                      "are read",
                      file_.path().string(), printable(entry.name), entry.method));
    const std::string header = bytes(entry.local, kLocalBytes);
    const uint64_t name = load<uint16_t>(header, 26), extra = load<uint16_t>(header, 28);
    if (load<uint32_t>(header, 0) != kLocalSignature) fail(entry, "is not where the directory says");
    const std::string tail = bytes(entry.local + kLocalBytes, name + extra);
    check_local(entry, header, tail, name);

    const Record record{.begin = entry.local + kLocalBytes + name + extra,
                        .stored_bytes = entry.packed,
                        .bytes = entry.bytes,
                        .deflated = entry.method == kDeflated};
    if (record.begin > directory_at_ || record.stored_bytes > directory_at_ - record.begin)
      fail(entry, "reaches into the directory; the file is truncated or altered");
    if (!record.deflated && record.bytes != record.stored_bytes) fail(entry, "is stored, but has two sizes");
    if (record.deflated && record.bytes / limits::kMaxDeflateRatio > record.stored_bytes)
      fail(entry, fmt::format("claims to inflate more than {}-fold", limits::kMaxDeflateRatio));
    return record;
  }

  void check_local(const Entry& entry, std::string_view header, std::string_view tail, size_t name) const {
    Entry local{.name = std::string(tail.substr(0, name)),
                .flags = load<uint16_t>(header, 6),
                .method = load<uint16_t>(header, 8),
                .packed = load<uint32_t>(header, 18),
                .bytes = load<uint32_t>(header, 22)};
    if (local.name != entry.name || local.method != entry.method || local.flags != entry.flags)
      fail(entry, "has a local header that disagrees with the directory");
    if (local.flags & kDescriptorFollows) return;  // its sizes stand behind the data
    widen(local, tail.substr(name), false);
    if (local.packed != entry.packed || local.bytes != entry.bytes)
      fail(entry, "has a local header that disagrees with the directory");
  }

  const File& file_;
  uint64_t count_ = 0, directory_bytes_ = 0, directory_at_ = 0;
};

}  // namespace

ZipDirectory read_zip_directory(const File& file) { return Reader(file).read(); }

}  // namespace tyto
