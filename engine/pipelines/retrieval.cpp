#include "engine/pipelines/retrieval.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <map>
#include <mutex>
#include <utility>

#include "engine/metrics/reid/average_precision.h"
#include "engine/metrics/reid/hits.h"

namespace tyto {
namespace {

using kernels::CameraRule;
using kernels::Judgement;

// Every product has this shape, filled up with zero rows, and runs on one thread. Both sides are multiples of
// the register blocks of oneDNN's kernels on every ISA (6 and 8 by 16, 24 and 48): its remainder kernels sum
// in another order, so that a score would depend on where its rows stand.
constexpr int64_t kQueryTile = 48, kGalleryTile = 384;

// Keeps the first exception thrown by any thread of a parallel loop.
class FirstError {
 public:
  template <class Work>
  void guard(Work&& work) {
    try {
      work();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

void check_features(const Tensor& t, const char* name) {
  if (t.dtype() != DType::F32 || t.shape().rank() != 2)
    throw Error(ErrorKind::Shape, fmt::format("{} features are {} {}, not F32 [rows, width]", name,
                                              name_of(t.dtype()), t.shape().str()));
}

void check_labels(const Tensor& t, const Labels& labels, const char* name) {
  check_features(t, name);
  const auto rows = static_cast<size_t>(t.dim(0));
  if (labels.ids.size() != rows || labels.cameras.size() != rows)
    throw Error(ErrorKind::Shape, fmt::format("{} {} features come with {} identities and {} cameras", rows,
                                              name, labels.ids.size(), labels.cameras.size()));
}

// rows first .. first + tile of `matrix`, in place where they are all there, else copied into `room` before
// zeros
const float* tile_of(const Tensor& matrix, int64_t first, int64_t tile, std::vector<float>& room) {
  const int64_t width = matrix.dim(1), rows = std::min(tile, matrix.dim(0) - first);
  const float* from = matrix.as<float>().data() + first * width;
  if (rows == tile) return from;
  room.assign(static_cast<size_t>(tile * width), 0.0f);
  std::copy(from, from + rows * width, room.begin());
  return room.data();
}

// scores [kQueryTile, stride], columns first .. first + kGalleryTile
void score_tile(const float* queries, const Tensor& gallery, int64_t first, int64_t stride, float* scores) {
  std::vector<float> room;
  const int64_t width = gallery.dim(1);
  const float* rows = tile_of(gallery, first, kGalleryTile, room);
  if (dnnl_sgemm('N', 'T', kQueryTile, kGalleryTile, width, 1.0f, queries, width, rows, width, 0.0f,
                 scores + first, stride) != dnnl_success)
    throw Error(ErrorKind::Device, "oneDNN failed to multiply features; is memory short?");
}

}  // namespace

void score_queries(const Tensor& queries, const Tensor& gallery, const ScoreVisitor& visit,
                   const QueriesDone& done) {
  check_features(queries, "query");
  check_features(gallery, "gallery");
  if (queries.dim(1) != gallery.dim(1))
    throw Error(ErrorKind::Shape, fmt::format("query features have {} values, gallery features {}",
                                              queries.dim(1), gallery.dim(1)));
  if (gallery.dim(0) > std::numeric_limits<int32_t>::max() - kGalleryTile)
    throw Error(ErrorKind::Shape,
                fmt::format("a gallery of {} images passes the limit of 2^31", gallery.dim(0)));

  const int64_t total = queries.dim(0), images = gallery.dim(0);
  const int64_t stride = (images + kGalleryTile - 1) / kGalleryTile * kGalleryTile;
  Tensor block = Tensor::zeros(DType::F32, {kQueryTile, stride});
  float* scores = block.as<float>().data();
  std::vector<float> room;
  for (int64_t first = 0; first < total; first += kQueryTile) {
    const float* rows = tile_of(queries, first, kQueryTile, room);
    const int64_t count = std::min(kQueryTile, total - first);
    FirstError error;
    if (gallery.dim(1) > 0) {
#pragma omp parallel for schedule(static)
      for (int64_t g = 0; g < stride; g += kGalleryTile)
        error.guard([&] { score_tile(rows, gallery, g, stride, scores); });
      error.rethrow();
    }
#pragma omp parallel for schedule(dynamic)
    for (int64_t q = 0; q < count; ++q)
      error.guard([&] { visit(first + q, {scores + q * stride, static_cast<size_t>(images)}); });
    error.rethrow();
    if (done) done(count);
  }
}

Tensor average_multi_queries(const Tensor& queries, const Labels& labels, const Tensor& others,
                             const Labels& other_labels) {
  check_labels(queries, labels, "query");
  check_labels(others, other_labels, "multi-query");
  if (queries.dim(1) != others.dim(1))
    throw Error(ErrorKind::Shape, fmt::format("query features have {} values, multi-query features {}",
                                              queries.dim(1), others.dim(1)));
  std::map<std::pair<int64_t, int64_t>, std::vector<int64_t>> rows_of;
  for (size_t i = 0; i < other_labels.ids.size(); ++i)
    rows_of[{other_labels.ids[i], other_labels.cameras[i]}].push_back(static_cast<int64_t>(i));

  const int64_t width = queries.dim(1);
  Tensor averaged = queries.clone();
  std::vector<double> sum(static_cast<size_t>(width));
  for (int64_t q = 0; q < queries.dim(0); ++q) {
    const auto i = static_cast<size_t>(q);
    const auto group = rows_of.find({labels.ids[i], labels.cameras[i]});
    if (group == rows_of.end()) continue;
    std::fill(sum.begin(), sum.end(), 0.0);
    for (const int64_t row : group->second) {
      const float* from = others.as<float>().data() + row * width;
      for (size_t j = 0; j < sum.size(); ++j) sum[j] += from[j];
    }
    float* to = averaged.as<float>().data() + q * width;
    const auto members = static_cast<double>(group->second.size());
    for (size_t j = 0; j < sum.size(); ++j) to[j] = static_cast<float>(sum[j] / members);
  }
  return averaged;
}

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
      static_cast<size_t>(std::count(judgement.begin(), judgement.end(), Judgement::Good)));
  const int64_t hits = kernels::hit_positions_cpu(scores.data(), judgement.data(), images, positions.data());
  QueryResult result;
  result.valid = hits > 0;
  if (!result.valid) return result;
  result.ap = protocol.ap == ApRule::Trapezoid ? kernels::average_precision_trapezoid(positions.data(), hits)
                                               : kernels::average_precision_plain(positions.data(), hits);
  result.inp = kernels::inverse_negative_penalty(positions.data(), hits);
  result.cmc_position =
      protocol.cmc == CmcRule::Identities
          ? kernels::identities_ahead_cpu(scores.data(), judgement.data(), ids.data(), images)
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

Protocol protocol(const std::string& name) {
  for (const Protocol& p : protocols())
    if (p.name == name) return p;
  throw Error(ErrorKind::Usage,
              fmt::format("there is no protocol '{}'; known: {}", name, fmt::join(protocol_names(), ", ")));
}

std::vector<std::string> protocol_names() {
  std::vector<std::string> names;
  for (const Protocol& p : protocols()) names.push_back(p.name);
  return names;
}

std::string_view name_of(CameraRule rule) {
  switch (rule) {
    case CameraRule::Baseline:
      return "baseline";
    case CameraRule::None:
      return "none";
    case CameraRule::Sysu:
      return "sysu";
  }
  return "?";
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
    kernels::judge_cpu(query_labels.ids[q], query_labels.cameras[q], gallery_labels.ids.data(),
                       gallery_labels.cameras.data(), static_cast<int64_t>(scores.size()), protocol.cameras,
                       judgement.data());
    results[q] = judge_query(scores, judgement, gallery_labels.ids, protocol);
  };
  score_queries(queries, gallery, visit, done);
  return summarise(results, gallery.dim(0), protocol);
}

}  // namespace tyto
