// Where the matches of one query stand in its ranking (rank.h's order, junk taken out), found without sorting
// the gallery: O(n log hits).
#pragma once

#include <cstdint>

#include "engine/metrics/reid/judge.h"

namespace tyto {

// scores, judgement [n], n < 2^31
// positions         [number of positives] 0-based, rising
// Returns the number of positives.
int64_t hit_positions(const float* scores, const Judgement* judgement, int64_t n, int64_t* positions);

// How many identities come before the query's own when the ranking is collapsed to each identity's first
// image (SYSU-MM01's CMC); -1 where there is no positive. ids [n] of the gallery; -1 counts as one identity
int64_t identities_ahead(const float* scores, const Judgement* judgement, const int64_t* ids, int64_t n);

}  // namespace tyto
