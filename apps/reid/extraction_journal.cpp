// Layout: a line that names the format, a line of identity, then records
//   u32 set, u32 path bytes, path, width x f32, u64 checksum of the record before it.
#include "apps/reid/extraction_journal.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "apps/reid/stable_hash.h"
#include "files/file.h"

namespace tyto::apps {
namespace {

constexpr uint32_t kMaxPathBytes = 1 << 16;

struct RecordHead {
  uint32_t set = 0, path_bytes = 0;
};

std::string record_bytes(SetKind set, const std::string& image, std::span<const float> feature) {
  const RecordHead head{static_cast<uint32_t>(set), static_cast<uint32_t>(image.size())};
  std::string record(reinterpret_cast<const char*>(&head), sizeof head);
  record += image;
  record.append(reinterpret_cast<const char*>(feature.data()), feature.size_bytes());
  return record;
}

}  // namespace

ExtractionJournal::ExtractionJournal(std::filesystem::path path, const std::string& identity, int64_t width,
                                     bool resume)
    : path_(std::move(path)), width_(width) {
  const std::string head = fmt::format("tyto extraction journal 1\n{} {}\n", identity, width);
  const bool exists = std::filesystem::exists(path_);
  if (exists && !resume) refuse_finished_images();
  const bool go_on = resume && exists && read(head);
  file_ = std::fopen(path_.c_str(), go_on ? "ab" : "wb");
  if (!file_)
    throw Error(ErrorKind::File, fmt::format("{}: cannot write: {}", path_.string(), std::strerror(errno)));
  if (!go_on) write(head.data(), head.size());
  flush();
}

void ExtractionJournal::refuse_finished_images() const {
  std::ifstream file(path_, std::ios::binary);
  std::string line;
  std::getline(file, line);
  std::getline(file, line);
  if (file.peek() == std::ifstream::traits_type::eof()) return;
  throw Error(ErrorKind::Usage,
              fmt::format("{} holds images of a run that was stopped; --resume goes on with it, or delete it",
                          path_.string()));
}

ExtractionJournal::~ExtractionJournal() {
  if (file_) std::fclose(file_);
}

bool ExtractionJournal::read(const std::string& head) {
  const File file(path_);
  std::string found(std::min<uint64_t>(head.size(), file.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(found)));
  if (found.size() < head.size() && head.starts_with(found)) return false;
  if (found != head)
    throw Error(ErrorKind::Usage,
                fmt::format("{} belongs to a run with another model, other options or other folders; repeat "
                            "those, or delete it to start anew",
                            path_.string()));
  uint64_t at = head.size();
  RecordHead r;
  while (file.size() - at >= sizeof r) {
    file.read(at, std::as_writable_bytes(std::span(&r, 1)));
    const uint64_t body = sizeof r + r.path_bytes + static_cast<uint64_t>(width_) * sizeof(float);
    if (r.set > static_cast<uint32_t>(SetKind::MultiQuery) || r.path_bytes > kMaxPathBytes ||
        file.size() - at < body + sizeof(uint64_t))
      break;
    std::string record(body, '\0');
    uint64_t checksum = 0;
    file.read(at, std::as_writable_bytes(std::span(record)));
    file.read(at + body, std::as_writable_bytes(std::span(&checksum, 1)));
    if (checksum != stable_hash(record)) break;
    std::vector<float> feature(static_cast<size_t>(width_));
    std::memcpy(feature.data(), record.data() + sizeof r + r.path_bytes, feature.size() * sizeof(float));
    rows_[{static_cast<SetKind>(r.set), record.substr(sizeof r, r.path_bytes)}] = std::move(feature);
    at += body + sizeof checksum;
  }
  std::filesystem::resize_file(path_, at);  // a record cut short by the end of the run goes
  return true;
}

const float* ExtractionJournal::find(SetKind set, const std::string& image) const {
  const auto it = rows_.find({set, image});
  return it == rows_.end() ? nullptr : it->second.data();
}

void ExtractionJournal::append(SetKind set, const std::string& image, std::span<const float> feature) {
  const std::string record = record_bytes(set, image, feature);
  const uint64_t checksum = stable_hash(record);
  write(record.data(), record.size());
  write(&checksum, sizeof checksum);
  rows_[{set, image}] = {feature.begin(), feature.end()};
}

void ExtractionJournal::write(const void* data, size_t bytes) {
  if (std::fwrite(data, 1, bytes, file_) != bytes)
    throw Error(ErrorKind::File, fmt::format("{}: cannot write: {}", path_.string(), std::strerror(errno)));
}

void ExtractionJournal::flush() {
  if (std::fflush(file_) != 0)
    throw Error(ErrorKind::File, fmt::format("{}: cannot write: {}", path_.string(), std::strerror(errno)));
}

void ExtractionJournal::remove() {
  std::fclose(std::exchange(file_, nullptr));
  std::filesystem::remove(path_);
}

}  // namespace tyto::apps
