// What one query's ranking is worth, from the positions of its matches.
//
// positions [hits] 0-based, rising; every function gives 0 for hits = 0.
#pragma once

#include <cstdint>

namespace tyto {

// Mean over the hits of the precision there: (i + 1) / (r + 1) for hit i at position r. torchreid, fast-reid,
// AGW.
double average_precision_plain(const int64_t* positions, int64_t hits);

// Area under the precision-recall curve by trapezia (Oxford-5k; layumi's baseline): hit i at position r adds
// the mean of its precision and of the precision just before it, i / r, which is 1 for r = 0. Never above the
// plain one by more than rounding.
double average_precision_trapezoid(const int64_t* positions, int64_t hits);

// Hits over the 1-based rank of the last one; its mean over the queries is mINP (Ye et al., AGW).
double inverse_negative_penalty(const int64_t* positions, int64_t hits);

}  // namespace tyto
