#include "files/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "files/utf8.h"
#include "tyto/error.h"

namespace tyto {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what) {
  throw Error(ErrorKind::File, fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno)));
}

void write_all(int fd, const void* data, size_t bytes, int64_t offset, const std::filesystem::path& path) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = offset < 0 ? ::write(fd, from, bytes) : ::pwrite(fd, from, bytes, offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, "cannot write");
    from += n;
    bytes -= static_cast<size_t>(n);
    if (offset >= 0) offset += n;
  }
}

}  // namespace

File::File(const std::filesystem::path& path) : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (fd_ < 0) fail(path, "cannot open");
  struct stat info {};
  if (::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd_);
    throw Error(ErrorKind::File, fmt::format("{}: not a regular file", path.string()));
  }
  size_ = static_cast<uint64_t>(info.st_size);
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

File::File(File&& other) noexcept : path_(std::move(other.path_)), fd_(other.fd_), size_(other.size_) {
  other.fd_ = -1;
}

void File::read(uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t n = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path_, "cannot read");
    if (n == 0)
      throw Error(ErrorKind::File, fmt::format("{}: truncated: it ends at byte {}", path_.string(), offset));
    into = into.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
}

AtomicFile::AtomicFile(const std::filesystem::path& path)
    : AtomicFile(path, fmt::format(".{}.tmp", ::getpid())) {}

AtomicFile::AtomicFile(const std::filesystem::path& path, const std::string& suffix)
    : path_(path), temporary_(path.string() + suffix) {
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) fail(path_, "cannot write");
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) { write_all(fd_, data, bytes, -1, path_); }

void AtomicFile::write_at(uint64_t offset, const void* data, size_t bytes) {
  write_all(fd_, data, bytes, static_cast<int64_t>(offset), path_);
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) fail(path_, "cannot write");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "cannot write");
  ::close(fd_);
  fd_ = -1;
}

std::string read_bytes(const std::filesystem::path& path, uint64_t limit_bytes) {
  File file(path);
  if (file.size() > limit_bytes)
    throw Error(ErrorKind::Format, fmt::format("{}: {} bytes where at most {} are expected", path.string(),
                                               file.size(), limit_bytes));
  std::string bytes(file.size(), '\0');
  file.read(0, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

std::string read_text(const std::filesystem::path& path, uint64_t limit_bytes) {
  std::string text = read_bytes(path, limit_bytes);
  take_off_mark(text, path.string());
  return text;
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace tyto
