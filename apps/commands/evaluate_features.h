// The half of `tyto evaluate` that judges features.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tyto::apps {

// What features are judged by; an empty rule is the protocol's.
struct FeatureRules {
  std::string feature;  // which matrix of the files; empty: their first
  std::string protocol = "baseline", ap, divisor, camera_rule;
  bool multi_query = false;
  std::optional<std::string> mode, permutations;  // of the protocol sysu
  std::optional<int64_t> shots, trials;
  std::optional<std::string> direction;  // of the protocol regdb
};

// Prints the report and, where `out` is not empty, writes it into that folder; returns an exit code.
int evaluate_features(const std::vector<std::string>& files, const FeatureRules& rules,
                      const std::string& out, bool json);

}  // namespace tyto::apps
