#include "engine/metrics/reid/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
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
      {"sysu", CameraRule::Sysu, ApRule::Plain, Divisor::ValidQueries, CmcRule::Identities},
      {"regdb", CameraRule::None, ApRule::Plain, Divisor::ValidQueries, CmcRule::FirstMatch},
  };
  return all;
}

// What one query contributes to the means.
struct QueryResult {
  bool valid = false;
  int64_t cmc_position = 0;  // 0-based position of the first match as the CMC rule counts; set where valid
  double ap = 0, inp = 0;
};

QueryResult judge_query(std::span<const float> scores, const std::vector<Judgement>& judgement,
                        std::span<const int64_t> ids, const Protocol& protocol) {
  const auto images = static_cast<int64_t>(scores.size());
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
                            ? identities_ahead(scores.data(), judgement.data(), ids.data(), images)
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
  check_labels(queries, query_labels, "query");
  check_labels(gallery, gallery_labels, "gallery");
  std::vector<QueryResult> results(static_cast<size_t>(queries.dim(0)));
  const auto visit = [&](int64_t query, std::span<const float> scores) {
    const auto q = static_cast<size_t>(query);
    std::vector<Judgement> judgement(scores.size());
    judge(query_labels.ids[q], query_labels.cameras[q], gallery_labels.ids.data(),
          gallery_labels.cameras.data(), static_cast<int64_t>(scores.size()), protocol.cameras,
          judgement.data());
    results[q] = judge_query(scores, judgement, gallery_labels.ids, protocol);
  };
  score_queries(queries, gallery, visit, done);
  return summarise(results, gallery.dim(0), protocol);
}

}  // namespace tyto
