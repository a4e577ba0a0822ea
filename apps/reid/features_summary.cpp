#include "apps/reid/features_summary.h"

#include <fmt/format.h>

#include "apps/console.h"
#include "files/json.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

// The rule is JSON if tyto wrote it.
ordered_json rule_of(const Provenance& provenance) {
  constexpr int kMaxNesting = 8;
  try {
    return parse_json(provenance.rule, kMaxNesting, "its rule");
  } catch (const Error&) {
    return provenance.rule;
  }
}

ordered_json provenance_json(const Features& f) {
  const Provenance& m = f.provenance;
  ordered_json j = {{"network", m.network},     {"model", m.model},     {"rule", rule_of(m)},
                    {"precision", m.precision}, {"flip", m.flip},       {"scales", m.scales},
                    {"exif", m.exif},           {"dataset", m.dataset}, {"features", m.features}};
  if (m.split) j["split"] = *m.split;
  if (f.shard) j["shard"] = {{"index", f.shard->index}, {"count", f.shard->count}};
  return j;
}

std::string set_text(const FeatureSet& set) {
  if (set.paths.empty()) return "no images";
  return fmt::format("{} images of {}: {} ... {}", set.rows(),
                     set.root.empty() ? "the working folder" : set.root, set.paths.front(), set.paths.back());
}

}  // namespace

ordered_json features_json(const Features& f) {
  ordered_json j = provenance_json(f);
  j["sets"] = ordered_json::object();
  for (const auto& [kind, set] : f.sets)
    j["sets"][std::string(name_of(kind))] = {
        {"folder", set.root}, {"images", set.rows()}, {"paths", set.paths}};
  return j;
}

std::string features_text(const Features& f) {
  std::string text;
  const auto line = [&](std::string_view key, const std::string& value) {
    text += fmt::format("{:14} {}\n", key, for_terminal(value));
  };
  const ordered_json provenance = provenance_json(f);
  for (const auto& [key, value] : provenance.items())
    line(key, value.is_string() ? value.get<std::string>() : dump_json(value));
  for (const auto& [kind, set] : f.sets) line(name_of(kind), set_text(set));
  return text;
}

}  // namespace tyto::apps
