// A text file with a class name a line.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tyto::apps {

// Blank lines are none: no class has an empty name. Error{File}; Error{Format} for text that is not UTF-8.
std::vector<std::string> read_class_names(const std::filesystem::path& path);

}  // namespace tyto::apps
