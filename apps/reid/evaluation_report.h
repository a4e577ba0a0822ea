// An evaluation of re-identification for people, for programs and as a curve.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/metrics/reid/evaluation.h"

namespace tyto::apps {

// Trials by one protocol, at least one.
struct EvaluationReport {
  std::vector<Evaluation> trials;
  std::string setting;  // what they are trials of, for people: "all search, 1 shot ..."; may be empty
  std::string feature;  // by which of several feature vectors an image, "fc"; empty: there is but one
};

// The rule, the sizes, Rank@1, Rank@5, Rank@10, Rank@20, mAP and mINP; of several trials mean, standard
// deviation, lowest and highest value. Ends with a line break.
std::string evaluation_text(const EvaluationReport& report);

// {"protocol": ..., "cameras": ..., "ap": ..., "divisor": ..., "queries": ..., "rank1": ..., "map": ...,
// "minp": ..., "cmc": [Rank@1 ... Rank@50]}: values in [0, 1], in full precision; one line. Of several trials
// these are the means, and there are two members more, and where an image has several feature vectors,
// "feature": "fc":
//   "spread": {"rank1": {"deviation": ..., "min": ..., "max": ...}, ...}
//   "trials": [{"queries": ..., "valid_queries": ..., "gallery": ..., "rank1": ..., "map": ..., "minp": ...},
//   ...]
std::string evaluation_json(const EvaluationReport& report);

// evaluation.json, cmc.png and cmc.svg
void write_evaluation_report(const EvaluationReport& report, const std::filesystem::path& folder);

}  // namespace tyto::apps
