// Numbers the positions of one kernel's code at which memory is accessed.
#pragma once

#include <cstdint>
#include <vector>

#include "emulation/instrument/access.h"
#include "emulation/instrument/race_check.h"

namespace emulation::instrument {

class Sites {
 public:
  Sites() : slots_(64) {}

  SiteId id(const void* position, AccessKind kind);  // a copy reads and writes at one position
  const void* position(SiteId id) const { return sites_[id].position; }
  AccessKind kind(SiteId id) const { return sites_[id].kind; }
  size_t size() const { return sites_.size(); }

 private:
  struct Slot {
    uint64_t key = 0;  // 0: free
    SiteId id = 0;
  };
  Slot& slot(uint64_t key);

  std::vector<Slot> slots_;  // open addressing; a power of two, at most half full
  struct Site {
    const void* position;
    AccessKind kind;
  };
  std::vector<Site> sites_;
};

}  // namespace emulation::instrument
