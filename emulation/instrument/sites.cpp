#include "emulation/instrument/sites.h"

#include <limits>
#include <stdexcept>

namespace emulation::instrument {

Sites::Slot& Sites::slot(uint64_t key) {
  size_t i = (key * 0x9E3779B97F4A7C15u >> 32) & (slots_.size() - 1);
  while (slots_[i].key != 0 && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
  return slots_[i];
}

SiteId Sites::id(const void* position, AccessKind kind) {
  const uint64_t key = reinterpret_cast<uint64_t>(position) << 2 | static_cast<uint64_t>(kind);
  Slot& found = slot(key);
  if (found.key == key) return found.id;
  if (sites_.size() > std::numeric_limits<SiteId>::max())
    throw std::length_error("instrument: a kernel with more than 65,536 memory instructions");
  const auto id = static_cast<SiteId>(sites_.size());
  found = {key, id};
  sites_.push_back({position, kind});
  if (2 * sites_.size() > slots_.size()) {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (const Slot& s : old)
      if (s.key != 0) slot(s.key) = s;
  }
  return id;
}

}  // namespace emulation::instrument
