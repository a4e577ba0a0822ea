// The shards of a run of `tyto bev` as one folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace tyto::apps {

// Makes `out` what the run without --shard would have made of it, byte for byte, and returns how many samples
// it holds. Error{Usage} where `out` is one of the folders or holds a run; Error{Format} names a folder that
// is not finished, is no shard, or is of another run, and the shards that are missing or given twice.
int64_t merge_bev(const std::vector<std::filesystem::path>& folders, const std::filesystem::path& out);

}  // namespace tyto::apps
