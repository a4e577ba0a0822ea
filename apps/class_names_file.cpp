#include "apps/class_names_file.h"

#include <fmt/format.h>

#include <utility>

#include "files/file.h"
#include "files/utf8.h"
#include "tyto/error.h"

namespace tyto::apps {

std::vector<std::string> read_class_names(const std::filesystem::path& path) {
  constexpr uint64_t kMaxClassFile = 16 << 20;
  const std::string text = read_text(path, kMaxClassFile);
  if (!is_utf8(text))
    throw Error(ErrorKind::Format, fmt::format("{}: its text is not UTF-8; save it as UTF-8", path.string()));
  std::vector<std::string> names;
  std::string name;
  for (const char c : text + '\n') {
    if (c != '\n' && c != '\r')
      name += c;
    else if (!name.empty())
      names.push_back(std::exchange(name, {}));
  }
  return names;
}

}  // namespace tyto::apps
