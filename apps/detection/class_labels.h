// Which of a detector's classes someone wants to see.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tyto/detector.h"

namespace tyto::apps {

// wanted: names or numbers, but the background's. Error{Usage} begins with `option` and lists the names.
std::set<int> class_labels(const std::vector<std::string>& wanted, const Detector& detector,
                           const std::string& option);

}  // namespace tyto::apps
