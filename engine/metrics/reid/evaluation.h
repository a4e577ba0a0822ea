// The evaluation protocols of re-identification: how good rankings are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/metrics/reid/judge.h"
#include "engine/metrics/reid/labels.h"
#include "engine/pipelines/retrieval.h"

namespace tyto {

enum class ApRule { Trapezoid, Plain };
enum class Divisor { AllQueries, ValidQueries };  // valid: with at least one match in the gallery
enum class CmcRule { FirstMatch, Identities };    // Identities: each counted once, at its first image

// What the mean of a published number is over.
enum class TrialRule {
  One,             // one gallery
  DrawnGalleries,  // galleries drawn from all images (gallery_draws.h)
  Splits,          // splits of the data set, a model each
};

// How a ranking is judged.
struct Protocol {
  std::string name;
  CameraRule cameras = CameraRule::Baseline;
  ApRule ap = ApRule::Trapezoid;
  Divisor divisor = Divisor::AllQueries;
  CmcRule cmc = CmcRule::FirstMatch;
  TrialRule trials = TrialRule::One;
};

//              cameras    AP         divisor  CMC           trials
//   baseline   baseline   trapezoid  all      first match   one        layumi/Person_reID_baseline_pytorch
//   torchreid  baseline   plain      valid    first match   one        KaiyangZhou/deep-person-reid
//   fast-reid  baseline   plain      valid    first match   one        JDAI-CV/fast-reid
//   sysu       sysu       plain      valid    identities    galleries  AGW's eval_sysu
//   regdb      none       plain      valid    first match   splits     AGW's eval_regdb
// Error{Usage} lists the names.
Protocol protocol(const std::string& name);
std::vector<std::string> protocol_names();

std::string_view name_of(CameraRule);
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

// Ranks the gallery for each query and averages. With no query to divide by, everything is 0; how trials are
// averaged stands in trials.h.
Evaluation evaluate(const Tensor& queries, const Labels& query_labels, const Tensor& gallery,
                    const Labels& gallery_labels, const Protocol& protocol, const QueriesDone& done = {});

// The same on parts of the gallery, one a trial, with the products computed once. A part is a list of rows;
// equal scores are ranked in its order.
std::vector<Evaluation> evaluate_parts(const Tensor& queries, const Labels& query_labels,
                                       const Tensor& gallery, const Labels& gallery_labels,
                                       const std::vector<std::vector<int64_t>>& parts,
                                       const Protocol& protocol, const QueriesDone& done = {});

}  // namespace tyto
