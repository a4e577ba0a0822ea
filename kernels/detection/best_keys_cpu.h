// The best of many rank keys, in order.
#pragma once

#include <cstdint>
#include <span>

namespace tyto::kernels {

// The first `most` of the keys (rank_key.h), which come with rising indices, as sorted keys: a part of `keys`
// or of `spare`, which has room for as many; both are overwritten. Work in proportion to the keys, not to
// their logarithm.
std::span<const uint64_t> best_keys(std::span<uint64_t> keys, int64_t most, uint64_t* spare);

}  // namespace tyto::kernels
