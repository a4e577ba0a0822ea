#include "apps/reid/open_features.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "apps/console.h"
#include "apps/reid/ranking.h"

namespace tyto::apps {

Features open_features(const std::vector<std::string>& files, const std::string& feature) {
  const std::vector<std::filesystem::path> paths(files.begin(), files.end());
  Features features = join_features(paths, feature);
  const std::string origin = fmt::format("{}", fmt::join(files, ", "));
  const FeatureSet& queries = features.set(SetKind::Query, origin);
  const FeatureSet& gallery = features.set(SetKind::Gallery, origin);
  for (const auto& [kind, set] : features.sets) {
    if (set.rows() == 0)
      throw Error(ErrorKind::Format, fmt::format("{}: no {} images", origin, name_of(kind)));
    if (set.matrix().dim(1) != gallery.matrix().dim(1))
      throw Error(ErrorKind::Format,
                  fmt::format("{}: {} features have {} values, gallery features {}", origin, name_of(kind),
                              set.matrix().dim(1), gallery.matrix().dim(1)));
    const std::vector<int64_t> broken = broken_rows(set.matrix());
    if (!broken.empty())
      warning(
          fmt::format("{} of {} {} features are not finite, the first that of {}; they come last everywhere",
                      broken.size(), set.rows(), name_of(kind), set.paths[static_cast<size_t>(broken[0])]));
  }
  if (queries.matrix().dim(1) == 0)
    throw Error(ErrorKind::Format, fmt::format("{}: features of no values", origin));
  return features;
}

std::string named_feature(const Provenance& provenance) {
  return provenance.features == Provenance{}.features ? "" : provenance.features.front();
}

bool has_identities(const FeatureSet& set) {
  return std::any_of(set.ids.begin(), set.ids.end(), [](int64_t id) { return id != -1; });
}

}  // namespace tyto::apps
