#include "apps/shard.h"

#include <fmt/format.h>

#include <cstdio>

#include "apps/stable_hash.h"
#include "tyto/error.h"

namespace tyto::apps {

bool Shard::has(std::string_view name) const {
  return stable_hash(name) % static_cast<uint64_t>(count) == static_cast<uint64_t>(index);
}

Shard shard_from(const std::string& text) {
  if (text.empty()) return {};
  char rest = 0;
  long long index = 0, count = 1;
  if (std::sscanf(text.c_str(), "%lld/%lld%c", &index, &count, &rest) != 2 || count < 1 || index < 0 ||
      index >= count)
    throw Error(ErrorKind::Usage, fmt::format("--shard {} is not of the form i/n with 0 <= i < n", text));
  return {index, count};
}

}  // namespace tyto::apps
