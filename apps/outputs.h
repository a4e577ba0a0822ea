// What commands that write folders of results and skip unreadable inputs have in common.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tyto::apps {

void make_folder(const std::filesystem::path& folder);  // and those above it; Error{File}

// `text` as a part of a file's name: at most 120 bytes, and '_' for characters that shells or file systems
// dislike.
std::string safe_file_name(const std::string& text);

// Why inputs were left out, a sentence each that names the file.
using SkippedInputs = std::vector<std::string>;

// Writes the sentences to `list`, or removes a list that an earlier run left where there are none, and warns
// of the first few and of how many of `total` there are. what: "images".
void report_skipped(const std::filesystem::path& list, const SkippedInputs& skipped, int64_t total,
                    const std::string& what);

}  // namespace tyto::apps
