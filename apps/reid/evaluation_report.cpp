#include "apps/reid/evaluation_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/images/encode.h"
#include "apps/outputs.h"
#include "apps/reid/cmc_picture.h"
#include "engine/metrics/reid/trials.h"
#include "files/file.h"

namespace tyto::apps {
namespace {

constexpr int64_t kMaxRank = 50;

struct Measure {
  const char *text, *key;
  double (*of)(const Evaluation&);
};

constexpr Measure kMeasures[] = {
    {"Rank@1", "rank1", [](const Evaluation& e) { return e.rank(1); }},
    {"Rank@5", "rank5", [](const Evaluation& e) { return e.rank(5); }},
    {"Rank@10", "rank10", [](const Evaluation& e) { return e.rank(10); }},
    {"Rank@20", "rank20", [](const Evaluation& e) { return e.rank(20); }},
    {"mAP", "map", [](const Evaluation& e) { return e.map; }},
    {"mINP", "minp", [](const Evaluation& e) { return e.minp; }},
};

// "301", or "299 to 301" where trials differ
std::string count_text(const std::vector<Evaluation>& trials, int64_t Evaluation::*count) {
  const auto [least, most] = std::minmax_element(
      trials.begin(), trials.end(), [&](const auto& a, const auto& b) { return a.*count < b.*count; });
  return (*least).*count == (*most).*count ? fmt::format("{}", (*most).*count)
                                           : fmt::format("{} to {}", (*least).*count, (*most).*count);
}

nlohmann::ordered_json sizes_and_measures(const Evaluation& e) {
  nlohmann::ordered_json j = {
      {"queries", e.queries}, {"valid_queries", e.valid_queries}, {"gallery", e.gallery}};
  for (const Measure& m : kMeasures) j[m.key] = m.of(e);
  return j;
}

}  // namespace

std::string evaluation_text(const EvaluationReport& report) {
  const std::vector<Evaluation>& trials = report.trials;
  std::string text = describe(trials.front().protocol) + '\n';
  if (!report.setting.empty()) text += report.setting + '\n';
  if (trials.size() > 1) text += fmt::format("{} trials: ", trials.size());
  text += fmt::format(
      "{} queries, {} with a match among {} gallery images{}\n\n", count_text(trials, &Evaluation::queries),
      count_text(trials, &Evaluation::valid_queries), count_text(trials, &Evaluation::gallery),
      report.feature.empty() ? "" : fmt::format(", by their {} features", report.feature));
  if (trials.size() > 1)
    text += fmt::format("{:8} {:>6}   {:>9}   lowest to highest\n", "", "mean", "deviation");
  for (const Measure& m : kMeasures) {
    const Spread s = spread_of(trials, m.of);
    text += fmt::format("{:8} {:6.2f} %", m.text, s.mean * 100);
    if (trials.size() > 1)
      text += fmt::format(" {:9.2f}    {:6.2f} to {:6.2f}", s.deviation * 100, s.min * 100, s.max * 100);
    text += '\n';
  }
  return text;
}

std::string evaluation_json(const EvaluationReport& report) {
  const Evaluation mean = mean_of(report.trials);
  nlohmann::ordered_json j = {{"protocol", mean.protocol.name},
                              {"cameras", tyto::name_of(mean.protocol.cameras)},
                              {"ap", name_of(mean.protocol.ap)},
                              {"divisor", name_of(mean.protocol.divisor)},
                              {"cmc_counts", name_of(mean.protocol.cmc)}};
  if (!report.feature.empty()) j["feature"] = report.feature;
  if (!report.setting.empty()) j["setting"] = report.setting;
  j.update(sizes_and_measures(mean));
  j["cmc"] = std::vector(mean.cmc.begin(), mean.cmc.begin() + std::min(kMaxRank, mean.gallery));
  if (report.trials.size() == 1) return j.dump();
  for (const Measure& m : kMeasures) {
    const Spread s = spread_of(report.trials, m.of);
    j["spread"][m.key] = {{"deviation", s.deviation}, {"min", s.min}, {"max", s.max}};
  }
  for (const Evaluation& trial : report.trials) j["trials"].push_back(sizes_and_measures(trial));
  return j.dump();
}

void write_evaluation_report(const EvaluationReport& report, const std::filesystem::path& folder) {
  const Evaluation mean = mean_of(report.trials);
  const auto trials = static_cast<int64_t>(report.trials.size());
  make_folder(folder);
  write_text(folder / "evaluation.json", evaluation_json(report) + '\n');
  write_text(folder / "cmc.svg", cmc_svg(mean, trials));
  write_png(folder / "cmc.png", cmc_picture(mean, trials));
}

}  // namespace tyto::apps
