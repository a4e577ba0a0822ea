// The name that a misspelt or missing one most resembles.
#pragma once

#include <string>
#include <vector>

namespace tyto {

// By edit distance (Levenshtein), earlier names first among equals; empty where nothing comes within half its
// length.
std::string nearest_name(const std::string& wanted, const std::vector<std::string>& names);

}  // namespace tyto
