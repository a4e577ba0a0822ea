#include "engine/cuda/cudnn/tuning_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <limits>
#include <mutex>
#include <utility>

#include "files/file.h"
#include "files/json.h"
#include "files/json_object.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

using nlohmann::ordered_json;

constexpr unsigned kVersion = 1;
constexpr const char *kVersionKey = "tyto_tuning_cache", *kMachinesKey = "machines";
constexpr uint64_t kLargestFile = 16 << 20;
constexpr int kNesting = 3;

using Machines = std::map<std::string, TuningCache::Choices>;

// Error{File, Format} where the file is not there to be read, or is no cache of this version.
Machines read(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return {};
  const ordered_json text = parse_json(read_text(file, kLargestFile), kNesting, "its text");
  const JsonObject root(text, "it");
  const auto version = root.get<uint64_t>(kVersionKey, 1, std::numeric_limits<uint64_t>::max());
  if (version > kVersion)
    throw Error(ErrorKind::Format,
                fmt::format("its format {} is newer than this tyto's {}", version, kVersion));
  return root.get<Machines>(kMachinesKey);
}

void write(const std::filesystem::path& file, const Machines& machines) {
  ordered_json root;
  root[kVersionKey] = kVersion;
  root[kMachinesKey] = machines;
  write_text(file, dump_json(root) + "\n");
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : ".";
}

// One writer at a time: of this process, and of those that lock the folder, where its file system can be
// locked.
class WriteLock {
 public:
  explicit WriteLock(const std::filesystem::path& folder)
      : in_process_(mutex()), folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (folder_ >= 0) ::flock(folder_, LOCK_EX);
  }
  ~WriteLock() {
    if (folder_ >= 0) ::close(folder_);
  }
  WriteLock(const WriteLock&) = delete;
  WriteLock& operator=(const WriteLock&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }

  std::lock_guard<std::mutex> in_process_;
  int folder_;
};

}  // namespace

TuningCache::TuningCache(std::filesystem::path file, std::string machine,
                         std::function<void(const std::string&)> notice)
    : file_(std::move(file)), machine_(std::move(machine)), notice_(std::move(notice)) {
  if (file_.empty()) return;
  try {
    const Machines machines = read(file_);
    if (const auto own = machines.find(machine_); own != machines.end())
      choices_ = own->second;
    else if (!machines.empty())
      notify(fmt::format("{} was tuned on other machines ({} ...), not on this one ({})", file_.string(),
                         machines.begin()->first, machine_));
  } catch (const std::exception& e) {
    notify(fmt::format("{} is ignored and left as it is ({}); delete it to keep what is tuned",
                       file_.string(), e.what()));
    file_.clear();
  }
}

std::optional<std::string> TuningCache::find(const std::string& operation) const {
  const auto it = choices_.find(operation);
  return it == choices_.end() ? std::nullopt : std::optional(it->second);
}

void TuningCache::keep(const std::string& operation, const std::string& algorithm) {
  choices_[operation] = algorithm;
  if (file_.empty()) return;
  try {
    std::filesystem::create_directories(folder_of(file_));
    const WriteLock lock(folder_of(file_));
    Machines machines = read(file_);  // as it is by now
    Choices& own = machines[machine_];
    own.merge(Choices(choices_));
    own[operation] = algorithm;
    write(file_, machines);
  } catch (const std::exception& e) {
    notify(fmt::format("what is tuned cannot be kept in {} ({})", file_.string(), e.what()));
    file_.clear();
  }
}

void TuningCache::notify(const std::string& text) const {
  if (notice_) notice_(text);
}

}  // namespace tyto::cuda
