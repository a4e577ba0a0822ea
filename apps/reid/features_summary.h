// What a features file holds, its tensors apart.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "apps/reid/features_file.h"

namespace tyto::apps {

// {"network": ..., "model": ..., "rule": {...}, "precision": ..., "flip": ..., "scales": [...], "exif": ...,
// "dataset": ..., "features": ["fc", "pool"], "split": 1,
//  "shard": {"index": ..., "count": ...}, "sets": {"query": {"folder": ..., "images": 3, "paths": [...]}}}
// split and shard only where the file is of one.
nlohmann::ordered_json features_json(const Features&);

// The same a line each; of the paths the first and the last.
std::string features_text(const Features&);

}  // namespace tyto::apps
