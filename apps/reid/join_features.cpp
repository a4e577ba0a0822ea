// Several features files as one.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "apps/reid/features_file.h"

namespace tyto::apps {
namespace {

struct Part {
  std::string file;
  Features features;
};

// A set of kind `kind` that comes in shards must come in all of them.
void check_shards(const std::vector<Part>& parts, SetKind kind) {
  std::map<std::pair<std::string, int64_t>, std::set<int64_t>> found;  // (root, count) -> indices
  for (const Part& part : parts) {
    const auto set = part.features.sets.find(kind);
    if (set == part.features.sets.end() || !part.features.shard) continue;
    found[{set->second.root, part.features.shard->count}].insert(part.features.shard->index);
  }
  for (const auto& [group, indices] : found) {
    std::vector<std::string> missing;
    for (int64_t i = 0; i < group.second && missing.size() < 8; ++i)
      if (!indices.contains(i)) missing.push_back(fmt::format("{}/{}", i, group.second));
    if (!missing.empty())
      throw Error(ErrorKind::Format,
                  fmt::format("the {} features are not whole: missing shard {}; give all shards",
                              name_of(kind), fmt::join(missing, ", ")));
  }
}

// Roots move into the paths, so that equal names below different folders stay apart.
void absorb_root(FeatureSet& set) {
  for (int64_t i = 0; i < set.rows(); ++i) set.paths[static_cast<size_t>(i)] = set.file(i).generic_string();
  set.root.clear();
}

void check_twice(const std::vector<std::pair<std::string, FeatureSet*>>& sets, SetKind kind) {
  std::map<std::string_view, const std::string*> seen;
  for (const auto& [file, set] : sets)
    for (const std::string& path : set->paths) {
      const auto [it, added] = seen.emplace(path, &file);
      if (!added)
        throw Error(ErrorKind::Format, fmt::format("{} image '{}' stands in both {} and {}", name_of(kind),
                                                   path, *it->second, file));
    }
}

// An empty set of no width fits beside every other.
Tensor join_matrices(const std::vector<std::pair<std::string, FeatureSet*>>& sets, size_t matrix,
                     SetKind kind) {
  int64_t width = sets[0].second->features[matrix].dim(1), rows = 0;
  const std::string* wide = nullptr;
  for (const auto& [file, set] : sets) {
    rows += set->rows();
    if (set->rows() == 0) continue;
    const int64_t own = set->features[matrix].dim(1);
    if (wide && own != width)
      throw Error(ErrorKind::Format, fmt::format("{} holds {} features of {} values, {} of {}", *wide,
                                                 name_of(kind), width, file, own));
    width = own;
    wide = &file;
  }
  Tensor joined(DType::F32, {rows, width});
  float* to = joined.as<float>().data();
  for (const auto& [file, set] : sets) {
    const auto from = std::as_const(set->features[matrix]).as<float>();
    to = std::copy(from.begin(), from.end(), to);
  }
  return joined;
}

FeatureSet join_sets(std::vector<std::pair<std::string, FeatureSet*>> sets, SetKind kind) {
  const bool one_root = std::all_of(sets.begin(), sets.end(),
                                    [&](const auto& s) { return s.second->root == sets[0].second->root; });
  if (!one_root)
    for (auto& [file, set] : sets) absorb_root(*set);
  check_twice(sets, kind);

  FeatureSet joined;
  joined.root = sets[0].second->root;
  for (const auto& [file, set] : sets) {
    joined.paths.insert(joined.paths.end(), set->paths.begin(), set->paths.end());
    joined.ids.insert(joined.ids.end(), set->ids.begin(), set->ids.end());
    joined.cameras.insert(joined.cameras.end(), set->cameras.begin(), set->cameras.end());
  }
  for (size_t matrix = 0; matrix < sets[0].second->features.size(); ++matrix)
    joined.features.push_back(join_matrices(sets, matrix, kind));
  sort_by_path(joined);
  return joined;
}

}  // namespace

std::string difference(const Provenance& a, const Provenance& b) {
  if (a.split != b.split) return "different splits of the data set";
  if (a.model != b.model)
    return fmt::format("models {} and {}", a.model.substr(0, 12), b.model.substr(0, 12));
  if (a.network != b.network) return fmt::format("networks {} and {}", a.network, b.network);
  if (a.rule != b.rule) return fmt::format("network options or preprocessing {} and {}", a.rule, b.rule);
  if (a.precision != b.precision) return fmt::format("precisions {} and {}", a.precision, b.precision);
  if (a.flip != b.flip) return "and without flip averaging";
  if (a.scales != b.scales)
    return fmt::format("scales {} and {}", fmt::join(a.scales, ","), fmt::join(b.scales, ","));
  if (a.exif != b.exif) return "and without regard to EXIF orientation";
  if (a.features != b.features)
    return fmt::format("matrices {} and {}", fmt::join(a.features, ", "), fmt::join(b.features, ", "));
  if (a.dataset != b.dataset && a.dataset != "plain" && b.dataset != "plain")
    return fmt::format("names of {} and {}, whose identities are unrelated", a.dataset, b.dataset);
  return {};
}

Features join_features(std::span<const std::filesystem::path> paths,
                       const std::optional<std::string>& feature) {
  if (paths.empty()) throw Error(ErrorKind::Usage, "no features file was given");
  std::vector<Part> parts;
  for (const auto& path : paths) {
    parts.push_back({path.string(), read_features(path, feature)});
    const auto what = difference(parts.front().features.provenance, parts.back().features.provenance);
    if (!what.empty())
      throw Error(ErrorKind::Format, fmt::format("{} and {} do not belong together: they were made with {}",
                                                 parts.front().file, parts.back().file, what));
  }

  Features joined;
  joined.provenance = parts.front().features.provenance;
  for (const Part& part : parts)
    if (joined.provenance.dataset == "plain") joined.provenance.dataset = part.features.provenance.dataset;
  for (const SetKind kind : {SetKind::Query, SetKind::Gallery, SetKind::MultiQuery}) {
    check_shards(parts, kind);
    std::vector<std::pair<std::string, FeatureSet*>> sets;
    for (Part& part : parts)
      if (const auto set = part.features.sets.find(kind); set != part.features.sets.end())
        sets.emplace_back(part.file, &set->second);
    if (!sets.empty()) joined.sets[kind] = join_sets(std::move(sets), kind);
  }
  return joined;
}

}  // namespace tyto::apps
