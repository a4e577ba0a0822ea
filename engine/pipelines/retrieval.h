// Features in, scores of queries against a gallery out.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "engine/metrics/reid/labels.h"
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

// Multi-query features: for each query the plain mean of the rows of `others` with its identity and camera,
// or its own row where there are none.
Tensor average_multi_queries(const Tensor& queries, const Labels& labels, const Tensor& others,
                             const Labels& other_labels);

}  // namespace tyto
