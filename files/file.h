// Files as tyto reads and writes them: pread in, temporary name and rename out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace tyto {

// A file open for reading. Reads go through pread, so a file truncated meanwhile is an Error, never a signal.
class File {
 public:
  explicit File(const std::filesystem::path& path);  // Error{File} names the path and the reason
  ~File();
  File(File&&) noexcept;
  File& operator=(File&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const { return size_; }

  // Fills all of `into` from `offset` on, or throws Error{File} naming the byte at which the file ends.
  // Thread-safe.
  void read(uint64_t offset, std::span<std::byte> into) const;

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

// A file that appears under its name only when it is whole: written under a temporary name in the same
// folder, synced and renamed by commit(), removed if destroyed before. Error{File} on a full disk, missing
// rights ...
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  // The temporary name is the path and `suffix`: one that is always the same lets the next run replace what a
  // killed one left of a large file.
  AtomicFile(const std::filesystem::path& path, const std::string& suffix);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void write(const void* data, size_t bytes);  // appends
  void write(const std::string& text) { write(text.data(), text.size()); }
  void write_at(uint64_t offset, const void* data, size_t bytes);  // overwrites what was appended before
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int fd_ = -1;
};

std::string read_bytes(const std::filesystem::path& path, uint64_t limit_bytes);  // a small file, whole
// The same of a text in UTF-8, without a byte order mark. Error{Format} for UTF-16 and UTF-32.
std::string read_text(const std::filesystem::path& path, uint64_t limit_bytes);
void write_text(const std::filesystem::path& path, const std::string& text);  // through AtomicFile

}  // namespace tyto
