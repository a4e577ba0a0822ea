#include "apps/commands/evaluate_features.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "apps/command.h"
#include "apps/console.h"
#include "apps/reid/evaluation_report.h"
#include "apps/reid/open_features.h"
#include "apps/reid/sysu_trials.h"

namespace tyto::apps {
namespace {

// A protocol with a rule replaced is no longer the one of that name.
Protocol protocol_of(const FeatureRules& rules) {
  const Protocol named = protocol(rules.protocol);
  Protocol p = named;
  if (!rules.ap.empty()) p.ap = rules.ap == name_of(ApRule::Plain) ? ApRule::Plain : ApRule::Trapezoid;
  if (!rules.divisor.empty())
    p.divisor = rules.divisor == name_of(Divisor::AllQueries) ? Divisor::AllQueries : Divisor::ValidQueries;
  for (const auto rule : {CameraRule::Baseline, CameraRule::None, CameraRule::Sysu})
    if (rules.camera_rule == tyto::name_of(rule)) p.cameras = rule;
  if (p.ap != named.ap || p.divisor != named.divisor || p.cameras != named.cameras) p.name += " (altered)";
  return p;
}

void check_options(const FeatureRules& rules, const Protocol& protocol) {
  const auto belongs = [](bool given, const char* option, bool here, const char* to) {
    if (given && !here)
      throw Error(ErrorKind::Usage, fmt::format("{} is an option of --protocol {}", option, to));
  };
  const bool sysu = protocol.trials == TrialRule::DrawnGalleries,
             regdb = protocol.trials == TrialRule::Splits;
  belongs(rules.mode.has_value(), "--mode", sysu, "sysu");
  belongs(rules.shots.has_value(), "--shots", sysu, "sysu");
  belongs(rules.trials.has_value(), "--trials", sysu, "sysu");
  belongs(rules.permutations.has_value(), "--permutations", sysu, "sysu");
  belongs(rules.direction.has_value(), "--direction", regdb, "regdb");
}

SysuRules sysu_rules(const FeatureRules& rules) {
  SysuRules sysu;
  sysu.indoor = rules.mode == "indoor";
  sysu.shots = rules.shots.value_or(sysu.shots);
  sysu.trials = rules.trials.value_or(sysu.trials);
  sysu.permutations = rules.permutations.value_or("");
  return sysu;
}

Labels labels_of(const FeatureSet& set) { return {set.ids, set.cameras}; }

// Files of one split, which are evaluated together. Files that name no split are one.
using Split = std::pair<std::optional<int64_t>, std::vector<std::string>>;

std::vector<Split> splits_of(const std::vector<std::string>& files) {
  std::map<std::optional<int64_t>, std::vector<std::string>> splits;
  std::optional<Provenance> first;
  for (const std::string& file : files) {
    Provenance making = read_features_description(file).provenance;
    splits[making.split].push_back(file);
    making.split.reset();
    making.model.clear();  // a split has its own, of the same kind
    if (!first) first = making;
    if (const std::string what = difference(*first, making); !what.empty())
      throw Error(ErrorKind::Format, fmt::format("{} and {} have no common mean: they were made with {}",
                                                 files.front(), file, what));
  }
  if (splits.size() > 1 && !splits.begin()->first)
    throw Error(ErrorKind::Usage,
                fmt::format("{} does not say of which split it is, as {} does; extract it with --split N",
                            splits.begin()->second.front(), splits.rbegin()->second.front()));
  return {splits.begin(), splits.end()};
}

void check_identities(const Features& features, const Protocol& protocol) {
  for (const SetKind kind : {SetKind::Query, SetKind::Gallery}) {
    const FeatureSet& set = features.sets.at(kind);
    if (!has_identities(set))
      throw Error(
          ErrorKind::Usage,
          fmt::format("the {} images have no identities (names read as {}), so nothing can be judged; "
                      "extract them with --dataset or --name-pattern",
                      name_of(kind), features.provenance.dataset));
    const auto unknown = std::find(set.ids.begin(), set.ids.end(), -1);
    if (protocol.trials != TrialRule::One && unknown != set.ids.end())
      throw Error(ErrorKind::Usage,
                  fmt::format("{} image '{}' has no identity, which the protocol {} knows of every image",
                              name_of(kind), set.paths[static_cast<size_t>(unknown - set.ids.begin())],
                              protocol.name));
  }
}

// One trial on the files of one split, or all those of drawn galleries.
void evaluate_split(const Split& split, const FeatureRules& rules, const Protocol& protocol,
                    EvaluationReport& report) {
  const auto& [number, files] = split;
  Features features = open_features(files, rules.feature);
  check_identities(features, protocol);
  report.feature = named_feature(features.provenance);
  if (rules.direction == "thermal-to-visible")
    std::swap(features.sets.at(SetKind::Query), features.sets.at(SetKind::Gallery));
  const FeatureSet& queries = features.sets.at(SetKind::Query);
  const FeatureSet& gallery = features.sets.at(SetKind::Gallery);
  Tensor query_features = queries.matrix();
  if (rules.multi_query) {
    const FeatureSet& others = features.set(SetKind::MultiQuery, files.front());
    query_features =
        average_multi_queries(queries.matrix(), labels_of(queries), others.matrix(), labels_of(others));
  }

  Progress progress(number ? fmt::format("evaluating split {}", *number) : "evaluating", queries.rows());
  const auto done = [&](int64_t count) {
    progress.advance(count);
    check_interrupted();
  };
  if (protocol.trials == TrialRule::DrawnGalleries)
    report.trials = evaluate_parts(query_features, labels_of(queries), gallery.matrix(), labels_of(gallery),
                                   draw_galleries(sysu_rules(rules), queries, gallery), protocol, done);
  else
    report.trials.push_back(
        evaluate(query_features, labels_of(queries), gallery.matrix(), labels_of(gallery), protocol, done));
}

std::string setting_of(const FeatureRules& rules, const Protocol& protocol,
                       const std::vector<Split>& splits) {
  if (protocol.trials == TrialRule::One) return {};
  if (protocol.trials == TrialRule::DrawnGalleries) return describe(sysu_rules(rules));
  std::string text = rules.direction == "thermal-to-visible" ? "thermal to visible" : "visible to thermal";
  std::vector<int64_t> numbers;
  for (const auto& [number, files] : splits)
    if (number) numbers.push_back(*number);
  if (numbers.empty()) return text;
  return text + fmt::format(", split{} {}", numbers.size() == 1 ? "" : "s", fmt::join(numbers, ", "));
}

}  // namespace

int evaluate_features(const std::vector<std::string>& files, const FeatureRules& rules,
                      const std::string& out, bool json) {
  const Protocol protocol = protocol_of(rules);
  check_options(rules, protocol);
  const std::vector<Split> splits =
      protocol.trials == TrialRule::Splits ? splits_of(files) : std::vector<Split>{{std::nullopt, files}};
  EvaluationReport report;
  report.setting = setting_of(rules, protocol, splits);
  for (const Split& split : splits) evaluate_split(split, rules, protocol, report);

  if (!out.empty()) write_evaluation_report(report, out);
  fmt::print("{}", json ? evaluation_json(report) + '\n' : evaluation_text(report));
  if (!out.empty())
    notice(fmt::format("the CMC curve is in {}", (std::filesystem::path(out) / "cmc.svg").string()));
  return kDone;
}

}  // namespace tyto::apps
