// The file to which a run appends what it has done, so that a run that was stopped can go on.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>

namespace tyto::apps {

class Journal {
 public:
  // The first `keep` bytes of the file that is there stay; 0 starts an empty one. Error{File}.
  Journal(std::filesystem::path path, uint64_t keep);

  const std::filesystem::path& path() const { return path_; }
  void append(std::string_view bytes);
  void flush();  // everything appended is the operating system's; Error{File} on a full disk

  // Error{Usage}: without --resume a run would replace what a stopped one has done.
  [[noreturn]] static void refuse_to_replace(const std::filesystem::path& path);
  // Error{Usage}: with --resume a run would mix its results with those of another one. `path` tells the
  // other's identity.
  [[noreturn]] static void refuse_to_mix(const std::filesystem::path& path);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  [[noreturn]] void fail() const;

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace tyto::apps
