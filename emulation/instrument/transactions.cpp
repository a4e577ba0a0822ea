#include "emulation/instrument/transactions.h"

#include <algorithm>
#include <array>

namespace emulation::instrument {

Cost sectors(std::span<const uintptr_t> addresses, int bytes) {
  constexpr uintptr_t kSector = 32;
  std::array<uintptr_t, 32> sorted;
  const auto end = std::copy(addresses.begin(), addresses.end(), sorted.begin());
  if (!std::is_sorted(sorted.begin(), end)) std::sort(sorted.begin(), end);
  int distinct_sectors = 0;
  uintptr_t distinct_bytes = 0, next_byte = 0, next_sector = 0;
  for (auto address = sorted.begin(); address != end; ++address) {
    const uintptr_t last_byte = *address + static_cast<uintptr_t>(bytes) - 1,
                    last_sector = last_byte / kSector;
    if (last_byte >= next_byte) distinct_bytes += last_byte + 1 - std::max(*address, next_byte);
    if (last_sector >= next_sector)
      distinct_sectors += static_cast<int>(last_sector + 1 - std::max(*address / kSector, next_sector));
    next_byte = std::max(next_byte, last_byte + 1);
    next_sector = std::max(next_sector, last_sector + 1);
  }
  return {distinct_sectors, static_cast<int>((distinct_bytes + kSector - 1) / kSector)};
}

Cost wavefronts(const uintptr_t (&addresses)[32], uint32_t active, int bytes) {
  constexpr int kBanks = 32, kWord = 4;
  const int lanes_together = bytes <= kWord ? 32 : bytes <= 2 * kWord ? 16 : 8;
  Cost cost;
  for (int begin = 0; begin < 32; begin += lanes_together) {
    std::array<uintptr_t, 2 * 32> words;  // a narrow access may straddle two
    size_t count = 0;
    for (int lane = begin; lane < begin + lanes_together; ++lane) {
      if (!(active >> lane & 1)) continue;
      const uintptr_t last = (addresses[lane] + static_cast<uintptr_t>(bytes) - 1) / kWord;
      for (uintptr_t word = addresses[lane] / kWord; word <= last; ++word)
        if (count == 0 || words[count - 1] != word) words[count++] = word;
    }
    if (count == 0) continue;
    if (!std::is_sorted(words.begin(), words.begin() + count))
      std::sort(words.begin(), words.begin() + count);
    std::array<int8_t, kBanks> asked{};
    int most = 0;
    for (size_t i = 0; i < count; ++i)
      if (i == 0 || words[i] != words[i - 1]) most = std::max<int>(most, ++asked[words[i] % kBanks]);
    cost.actual += most;
    ++cost.ideal;
  }
  return cost;
}

}  // namespace emulation::instrument
