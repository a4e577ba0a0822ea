// What rank and evaluate start from.
#pragma once

#include <string>
#include <vector>

#include "apps/reid/features_file.h"

namespace tyto::apps {

// Joins the files and sees that there are queries and a gallery of the same feature width, both not empty.
// Features that are not finite are counted in a warning that names the first one: such an image never wins a
// ranking.
Features open_features(const std::vector<std::string>& files);

bool has_identities(const FeatureSet& set);  // any image with a known one

}  // namespace tyto::apps
