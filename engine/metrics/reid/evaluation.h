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

// How a ranking is judged.
struct Protocol {
  std::string name;
  CameraRule cameras = CameraRule::Baseline;
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

// Ranks the gallery for each query and averages. With no query to divide by, everything is 0.
Evaluation evaluate(const Tensor& queries, const Labels& query_labels, const Tensor& gallery,
                    const Labels& gallery_labels, const Protocol& protocol, const QueriesDone& done = {});

}  // namespace tyto
