#include "engine/metrics/reid/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "engine/metrics/reid/average_precision.h"
#include "engine/metrics/reid/hits.h"
#include "files/named.h"

namespace tyto {
namespace {

const std::vector<Protocol>& protocols() {
  static const std::vector<Protocol> all = {
      {"baseline", CameraRule::Baseline, ApRule::Trapezoid, Divisor::AllQueries, CmcRule::FirstMatch},
      {"torchreid", CameraRule::Baseline, ApRule::Plain, Divisor::ValidQueries, CmcRule::FirstMatch},
      {"fast-reid", CameraRule::Baseline, ApRule::Plain, Divisor::ValidQueries, CmcRule::FirstMatch},
      {"sysu", CameraRule::Sysu, ApRule::Plain, Divisor::ValidQueries, CmcRule::Identities,
       TrialRule::DrawnGalleries},
      {"regdb", CameraRule::None, ApRule::Plain, Divisor::ValidQueries, CmcRule::FirstMatch,
       TrialRule::Splits},
  };
  return all;
}

// What one query contributes to the means.
struct QueryResult {
  bool valid = false;
  int64_t cmc_position = 0;  // 0-based position of the first match as the CMC rule counts; set where valid
  double ap = 0, inp = 0;
};

// One gallery and what its queries came to.
struct Trial {
  std::span<const int64_t> rows;  // of the whole gallery
  std::vector<int64_t> ids, cameras;
  std::vector<QueryResult> results;

  Trial(std::span<const int64_t> part, const Labels& gallery, int64_t queries)
      : rows(part), results(static_cast<size_t>(queries)) {
    for (const int64_t row : rows) {
      ids.push_back(gallery.ids[static_cast<size_t>(row)]);
      cameras.push_back(gallery.cameras[static_cast<size_t>(row)]);
    }
  }

  std::vector<float> scores(std::span<const float> of_all) const {
    std::vector<float> own(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) own[i] = of_all[static_cast<size_t>(rows[i])];
    return own;
  }
};

QueryResult judge_query(int64_t id, int64_t camera, const std::vector<float>& scores, const Trial& trial,
                        const Protocol& protocol) {
  const auto images = static_cast<int64_t>(scores.size());
  std::vector<Judgement> judgement(scores.size());
  judge(id, camera, trial.ids.data(), trial.cameras.data(), images, protocol.cameras, judgement.data());
  std::vector<int64_t> positions(
      static_cast<size_t>(std::count(judgement.begin(), judgement.end(), Judgement::Positive)));
  const int64_t hits = hit_positions(scores.data(), judgement.data(), images, positions.data());
  QueryResult result;
  result.valid = hits > 0;
  if (!result.valid) return result;
  result.ap = protocol.ap == ApRule::Trapezoid ? average_precision_trapezoid(positions.data(), hits)
                                               : average_precision_plain(positions.data(), hits);
  result.inp = inverse_negative_penalty(positions.data(), hits);
  result.cmc_position = protocol.cmc == CmcRule::Identities
                            ? identities_ahead(scores.data(), judgement.data(), trial.ids.data(), images)
                            : positions.front();
  return result;
}

// Sums in query order, so that the result does not depend on which thread finished first.
Evaluation summarise(const std::vector<QueryResult>& results, int64_t gallery, const Protocol& protocol) {
  Evaluation e;
  e.protocol = protocol;
  e.queries = static_cast<int64_t>(results.size());
  e.gallery = gallery;
  e.cmc.assign(static_cast<size_t>(gallery), 0.0);
  for (const QueryResult& r : results) {
    if (!r.valid) continue;
    ++e.valid_queries;
    ++e.cmc[static_cast<size_t>(r.cmc_position)];
    e.map += r.ap;
    e.minp += r.inp;
  }
  const int64_t counted = protocol.divisor == Divisor::AllQueries ? e.queries : e.valid_queries;
  const double divisor = static_cast<double>(std::max<int64_t>(counted, 1));
  double found = 0;
  for (double& at : e.cmc) {
    found += at;
    at = found / divisor;
  }
  e.map /= divisor;
  e.minp /= divisor;
  return e;
}

}  // namespace

Protocol protocol(const std::string& name) { return row_named(name, protocols(), "protocol"); }
std::vector<std::string> protocol_names() { return names_in(protocols()); }

std::string_view name_of(CameraRule rule) {
  static constexpr Named<CameraRule> kNames[] = {
      {"baseline", CameraRule::Baseline}, {"none", CameraRule::None}, {"sysu", CameraRule::Sysu}};
  return name_in(kNames, rule);
}

std::string_view name_of(ApRule rule) { return rule == ApRule::Trapezoid ? "trapezoid" : "plain"; }
std::string_view name_of(Divisor divisor) { return divisor == Divisor::AllQueries ? "all" : "valid"; }
std::string_view name_of(CmcRule rule) { return rule == CmcRule::FirstMatch ? "first match" : "identities"; }

std::string describe(const Protocol& p) {
  const std::string_view junk = p.cameras == CameraRule::Baseline
                                    ? "junk and the query's identity in its own camera left out"
                                : p.cameras == CameraRule::Sysu ? "camera 2 left out for queries of camera 3"
                                                                : "no image left out";
  return fmt::format("{}: {} AP, mean over {} queries, {}{}", p.name,
                     p.ap == ApRule::Trapezoid ? "trapezoidal" : "plain",
                     p.divisor == Divisor::AllQueries ? "all" : "valid", junk,
                     p.cmc == CmcRule::Identities ? ", CMC counts identities" : "");
}

double Evaluation::rank(int64_t k) const {
  if (cmc.empty() || k < 1) return 0;
  return cmc[std::min(static_cast<size_t>(k), cmc.size()) - 1];
}

Evaluation evaluate(const Tensor& queries, const Labels& query_labels, const Tensor& gallery,
                    const Labels& gallery_labels, const Protocol& protocol, const QueriesDone& done) {
  std::vector<int64_t> all(gallery_labels.ids.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  return evaluate_parts(queries, query_labels, gallery, gallery_labels, {all}, protocol, done).front();
}

std::vector<Evaluation> evaluate_parts(const Tensor& queries, const Labels& query_labels,
                                       const Tensor& gallery, const Labels& gallery_labels,
                                       const std::vector<std::vector<int64_t>>& parts,
                                       const Protocol& protocol, const QueriesDone& done) {
  check_labels(queries, query_labels, "query");
  check_labels(gallery, gallery_labels, "gallery");
  std::vector<Trial> trials;
  for (const auto& part : parts) trials.emplace_back(part, gallery_labels, queries.dim(0));
  const auto visit = [&](int64_t query, std::span<const float> scores) {
    const auto q = static_cast<size_t>(query);
    for (Trial& trial : trials)
      trial.results[q] =
          judge_query(query_labels.ids[q], query_labels.cameras[q], trial.scores(scores), trial, protocol);
  };
  score_queries(queries, gallery, visit, done);
  std::vector<Evaluation> evaluations;
  for (const Trial& trial : trials)
    evaluations.push_back(summarise(trial.results, static_cast<int64_t>(trial.rows.size()), protocol));
  return evaluations;
}

}  // namespace tyto
