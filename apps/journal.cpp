#include "apps/journal.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "tyto/error.h"

namespace tyto::apps {

Journal::Journal(std::filesystem::path path, uint64_t keep) : path_(std::move(path)) {
  if (keep > 0) std::filesystem::resize_file(path_, keep);
  file_.reset(std::fopen(path_.c_str(), keep > 0 ? "ab" : "wb"));
  if (!file_) fail();
}

void Journal::append(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) fail();
}

void Journal::flush() {
  if (std::fflush(file_.get()) != 0) fail();
}

void Journal::fail() const {
  throw Error(ErrorKind::File, fmt::format("{}: cannot write: {}", path_.string(), std::strerror(errno)));
}

void Journal::refuse_to_replace(const std::filesystem::path& path) {
  throw Error(
      ErrorKind::Usage,
      fmt::format("{} holds results of a run that was stopped; --resume goes on with it, or delete it",
                  path.string()));
}

void Journal::refuse_to_mix(const std::filesystem::path& path) {
  throw Error(
      ErrorKind::Usage,
      fmt::format("{} belongs to a run with another model, other options or other inputs; repeat those, or "
                  "delete it and leave out --resume to start anew",
                  path.string()));
}

}  // namespace tyto::apps
