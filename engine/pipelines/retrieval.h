// Features in, rankings and their quality out: scores of queries against a gallery, and the evaluation
// protocols of re-identification.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/metrics/reid/judge.h"
#include "tyto/tensor.h"

namespace tyto {

// Called with a query's row number and its scores against all gallery rows. Calls for different queries run
// at the same time on several threads; what is thrown ends the scoring and reaches the caller.
using ScoreVisitor = std::function<void(int64_t query, std::span<const float> scores)>;

// Called on the caller's thread with the number of queries finished since the last call.
using QueriesDone = std::function<void(int64_t count)>;

// Inner products of every query with every gallery row, a block of queries at a time, so that memory stays at
// 48 x gallery scores. A score depends on its two rows alone: not on the rows beside them, their places or
// the number of threads. queries [q, d] F32, gallery [g, d] F32, g < 2^31; Error{Shape} otherwise
void score_queries(const Tensor& queries, const Tensor& gallery, const ScoreVisitor& visit,
                   const QueriesDone& done = {});

// Identity and camera of every row of a feature matrix; -1: unknown or junk.
struct Labels {
  std::span<const int64_t> ids, cameras;
};

// Multi-query features: for each query the plain mean of the rows of `others` with its identity and camera,
// or its own row where there are none.
Tensor average_multi_queries(const Tensor& queries, const Labels& labels, const Tensor& others,
                             const Labels& other_labels);

enum class ApRule { Trapezoid, Plain };
enum class Divisor { AllQueries, ValidQueries };  // valid: with at least one match in the gallery
enum class CmcRule { FirstMatch, Identities };    // Identities: each counted once, at its first image

// How a ranking is judged.
struct Protocol {
  std::string name;
  kernels::CameraRule cameras = kernels::CameraRule::Baseline;
  ApRule ap = ApRule::Trapezoid;
  Divisor divisor = Divisor::AllQueries;
  CmcRule cmc = CmcRule::FirstMatch;
};

//              cameras    AP         divisor  CMC
//   baseline   baseline   trapezoid  all      first match   layumi/Person_reID_baseline_pytorch
//   torchreid  baseline   plain      valid    first match   KaiyangZhou/deep-person-reid
//   fast-reid  baseline   plain      valid    first match   JDAI-CV/fast-reid
//   sysu       sysu       plain      valid    identities    AGW's eval_sysu
//   regdb      none       plain      valid    first match   AGW's eval_regdb
// Error{Usage} lists the names.
Protocol protocol(const std::string& name);
std::vector<std::string> protocol_names();

std::string_view name_of(kernels::CameraRule);
std::string_view name_of(ApRule);
std::string_view name_of(Divisor);
std::string_view name_of(CmcRule);

// "baseline: trapezoidal AP, mean over all queries, same-camera images left out": for people.
std::string describe(const Protocol& protocol);

struct Evaluation {
  Protocol protocol;
  int64_t queries = 0, valid_queries = 0, gallery = 0;
  std::vector<double> cmc;  // [gallery] cmc[k - 1] = Rank@k
  double map = 0, minp = 0;

  double rank(int64_t k) const;  // Rank@k; the last value where the gallery has fewer than k images
};

// Ranks the gallery for each query and averages. With no query to divide by, everything is 0.
Evaluation evaluate(const Tensor& queries, const Labels& query_labels, const Tensor& gallery,
                    const Labels& gallery_labels, const Protocol& protocol, const QueriesDone& done = {});

}  // namespace tyto
