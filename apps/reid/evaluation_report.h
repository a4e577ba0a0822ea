// An evaluation of re-identification for people, for programs and as a curve.
#pragma once

#include <filesystem>
#include <string>

#include "engine/metrics/reid/evaluation.h"

namespace tyto::apps {

// The rule, the sizes, Rank@1, Rank@5, Rank@10, mAP and mINP; ends with a line break.
std::string evaluation_text(const Evaluation& evaluation);

// {"protocol": ..., "cameras": ..., "ap": ..., "divisor": ..., "queries": ..., "rank1": ..., "map": ...,
// "minp": ..., "cmc": [Rank@1 ... Rank@50]}: values in [0, 1], in full precision; one line.
std::string evaluation_json(const Evaluation& evaluation);

// evaluation.json, cmc.png and cmc.svg
void write_evaluation_report(const Evaluation& evaluation, const std::filesystem::path& folder);

}  // namespace tyto::apps
