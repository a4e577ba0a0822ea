#include "apps/outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <system_error>

#include "apps/console.h"
#include "files/file.h"
#include "files/utf8.h"
#include "tyto/error.h"

namespace tyto::apps {

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw Error(ErrorKind::File,
                fmt::format("{}: cannot make this folder: {}", folder.string(), error.message()));
}

std::string safe_file_name(const std::string& text) {
  constexpr size_t kMaxBytes = 120;
  constexpr std::string_view kKept = "-_.+=,@";
  const auto begins_character = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  size_t bytes = std::min(text.size(), kMaxBytes);
  while (bytes > 0 && bytes < text.size() && !begins_character(text[bytes])) --bytes;
  std::string name = text.substr(0, bytes);
  const bool utf8 = is_utf8(name);
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool kept = byte < 0x80 ? std::isalnum(byte) || kKept.find(c) != std::string_view::npos : utf8;
    if (!kept) c = '_';
  }
  if (name.empty() || name.front() == '.') name.insert(name.begin(), '_');  // hidden files are not listed
  return name;
}

void report_skipped(const std::filesystem::path& list, const SkippedInputs& skipped, int64_t total,
                    const std::string& what) {
  constexpr size_t kShown = 3;
  std::filesystem::remove(list);
  if (skipped.empty()) return;
  std::string text;
  for (const std::string& why : skipped) text += for_terminal(why) + '\n';  // a line each, whatever they name
  write_text(list, text);
  for (size_t i = 0; i < skipped.size() && i < kShown; ++i) warning(skipped[i] + "; skipped");
  warning(fmt::format("{} of {} {} skipped, see {}", skipped.size(), total, what, list.string()));
}

}  // namespace tyto::apps
