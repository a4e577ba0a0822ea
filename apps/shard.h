// A part of a run: `--shard i/n`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tyto::apps {

struct Shard {
  int64_t index = 0, count = 1;  // 0 <= index < count
  bool operator==(const Shard&) const = default;

  // Whether what has this name belongs to it: the same on every machine and in every version.
  bool has(std::string_view name) const;
};

Shard shard_from(const std::string& text);  // "1/3"; "" is all. Error{Usage}

}  // namespace tyto::apps
