// What rank and evaluate start from.
#pragma once

#include <string>
#include <vector>

#include "apps/reid/features_file.h"

namespace tyto::apps {

inline constexpr const char* kFeatureHelp =
    "which features, where the files hold several: fc or pool; their first if none is named";

// Joins the files, of whose matrices one is read (feature: as read_features()), and sees that there are
// queries and a gallery of the same feature width, both not empty. Features that are not finite are counted
// in a warning that names the first one: such an image never wins a ranking.
Features open_features(const std::vector<std::string>& files, const std::string& feature = {});

// Of files with several matrices the one that was read, "fc"; empty for the only one of others.
std::string named_feature(const Provenance& provenance);

bool has_identities(const FeatureSet& set);  // any image with a known one

}  // namespace tyto::apps
