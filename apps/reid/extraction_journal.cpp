// Layout: a line that names the format, a line of identity, then records
//   u32 set, u32 path bytes, u32 width and height of the image, path, the feature's f32, u64 checksum of the
//   record before it.
#include "apps/reid/extraction_journal.h"

#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <limits>
#include <span>

#include "apps/stable_hash.h"
#include "files/file.h"

namespace tyto::apps {
namespace {

constexpr uint32_t kMaxPathBytes = 1 << 16;

struct RecordHead {
  uint32_t set = 0, path_bytes = 0, width = 0, height = 0;
};

std::string record_bytes(SetKind set, const std::string& image, const ExtractedImage& extracted) {
  const RecordHead head{static_cast<uint32_t>(set), static_cast<uint32_t>(image.size()),
                        static_cast<uint32_t>(extracted.size.width),
                        static_cast<uint32_t>(extracted.size.height)};
  std::string record(reinterpret_cast<const char*>(&head), sizeof head);
  record += image;
  const auto feature = std::as_bytes(std::span(extracted.feature));
  record.append(reinterpret_cast<const char*>(feature.data()), feature.size());
  return record;
}

bool is_size(uint32_t side) { return side >= 1 && side <= std::numeric_limits<int>::max(); }

bool holds_images(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string line;
  std::getline(file, line);
  std::getline(file, line);
  return file.peek() != std::ifstream::traits_type::eof();
}

}  // namespace

ExtractionJournal::ExtractionJournal(std::filesystem::path path, const std::string& identity, int64_t width,
                                     bool resume)
    : width_(width) {
  const std::string head = fmt::format("tyto extraction journal 2\n{} {}\n", identity, width);
  const bool exists = std::filesystem::exists(path);
  if (exists && !resume && holds_images(path)) Journal::refuse_to_replace(path);
  const uint64_t keep = exists && resume ? read(path, head) : 0;
  file_.emplace(std::move(path), keep);
  if (keep == 0) file_->append(head);
  flush();
}

uint64_t ExtractionJournal::read(const std::filesystem::path& path, const std::string& head) {
  const File file(path);
  std::string found(std::min<uint64_t>(head.size(), file.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(found)));
  if (found.size() < head.size() && head.starts_with(found)) return 0;
  if (found != head) Journal::refuse_to_mix(path);
  uint64_t at = head.size();
  RecordHead r;
  while (file.size() - at >= sizeof r) {
    file.read(at, std::as_writable_bytes(std::span(&r, 1)));
    const uint64_t body = sizeof r + r.path_bytes + static_cast<uint64_t>(width_) * sizeof(float);
    if (r.set > static_cast<uint32_t>(SetKind::MultiQuery) || r.path_bytes > kMaxPathBytes ||
        !is_size(r.width) || !is_size(r.height) || file.size() - at < body + sizeof(uint64_t))
      break;
    std::string record(body, '\0');
    uint64_t checksum = 0;
    file.read(at, std::as_writable_bytes(std::span(record)));
    file.read(at + body, std::as_writable_bytes(std::span(&checksum, 1)));
    if (checksum != stable_hash(record)) break;
    ExtractedImage row{{static_cast<int>(r.width), static_cast<int>(r.height)},
                       std::vector<float>(static_cast<size_t>(width_))};
    std::memcpy(row.feature.data(), record.data() + sizeof r + r.path_bytes,
                row.feature.size() * sizeof(float));
    rows_[{static_cast<SetKind>(r.set), record.substr(sizeof r, r.path_bytes)}] = std::move(row);
    at += body + sizeof checksum;
  }
  return at;
}

const ExtractedImage* ExtractionJournal::find(SetKind set, const std::string& image) const {
  const auto it = rows_.find({set, image});
  return it == rows_.end() ? nullptr : &it->second;
}

void ExtractionJournal::append(SetKind set, const std::string& image, const ExtractedImage& extracted) {
  const std::string record = record_bytes(set, image, extracted);
  const uint64_t checksum = stable_hash(record);
  file_->append(record);
  file_->append({reinterpret_cast<const char*>(&checksum), sizeof checksum});
  rows_[{set, image}] = extracted;
}

void ExtractionJournal::remove() {
  const std::filesystem::path path = file_->path();
  file_.reset();
  std::filesystem::remove(path);
}

}  // namespace tyto::apps
