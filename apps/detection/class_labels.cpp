#include "apps/detection/class_labels.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

#include "tyto/error.h"

namespace tyto::apps {

std::set<int> class_labels(const std::vector<std::string>& wanted, const Detector& detector,
                           const std::string& option) {
  std::set<int> labels;
  for (const std::string& text : wanted) {
    std::vector<std::string> known;
    int number = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_number = error == std::errc() && end == text.data() + text.size();
    bool found = false;
    for (int label = 1; label < detector.classes(); ++label) {
      const bool is_it = detector.name(label) == text || (is_number && label == number);
      if (is_it) labels.insert(label);
      found |= is_it;
      if (detector.name(label) != "N/A") known.push_back(detector.name(label));
    }
    if (!found)
      throw Error(ErrorKind::Usage, fmt::format("{}: the model finds no '{}'; it finds {}", option, text,
                                                fmt::join(known, ", ")));
  }
  return labels;
}

}  // namespace tyto::apps
