#include "apps/outputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <system_error>

#include "apps/console.h"
#include "files/file.h"
#include "tyto/error.h"

namespace tyto::apps {

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw Error(ErrorKind::File,
                fmt::format("{}: cannot make this folder: {}", folder.string(), error.message()));
}

void report_skipped(const std::filesystem::path& list, const SkippedInputs& skipped, int64_t total,
                    const std::string& what) {
  constexpr size_t kShown = 3;
  std::filesystem::remove(list);
  if (skipped.empty()) return;
  write_text(list, fmt::format("{}\n", fmt::join(skipped, "\n")));
  for (size_t i = 0; i < skipped.size() && i < kShown; ++i) warning(skipped[i] + "; skipped");
  warning(fmt::format("{} of {} {} skipped, see {}", skipped.size(), total, what, list.string()));
}

}  // namespace tyto::apps
