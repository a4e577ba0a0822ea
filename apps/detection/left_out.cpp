#include "apps/detection/left_out.h"

#include <fmt/format.h>

#include <algorithm>

namespace tyto::apps {

std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(kShown, names.size()); ++i)
    text += fmt::format("{}'{}'", i == 0 ? "" : ", ", names[i]);
  return names.size() > kShown ? text + fmt::format(" and {} more", names.size() - kShown) : text;
}

void LeftOut::add(const std::string& missing) {
  ++count_;
  if (seen_.insert(missing).second) missing_.push_back(missing);
}

std::string LeftOut::sentence(const std::string& what) const {
  return fmt::format("{} {} were left out: {}", count_, what, some_of(missing_));
}

}  // namespace tyto::apps
