// Puts the accesses of a warp's lanes, which the emulation runs one after the other, together again as the
// requests that a GPU would make of them: by position in the code and how often the lane was there since it
// last met its warp.
#pragma once

#include <cstdint>
#include <vector>

#include "emulation/instrument/access.h"
#include "emulation/instrument/instrument.h"
#include "emulation/instrument/race_check.h"

namespace emulation::instrument {

// The counts of a launch, by position in the code.
using CountsBySite = std::vector<Counts>;

class Requests {
 public:
  void launch_begins(dim3 block);
  void block_begins();
  void thread_ends(ThreadId thread, CountsBySite& counts);
  void add(ThreadId thread, SiteId site, AccessKind kind, Space space, uintptr_t address, int bytes);
  // These lanes go on together; what they did before is complete.
  void reconverge(int warp, uint32_t lanes, CountsBySite& counts);
  void reconverge_all(CountsBySite& counts);

 private:
  struct Request {
    uint32_t device_lanes = 0, shared_lanes = 0;
    uint8_t bytes = 0;
    AccessKind kind{};
    uintptr_t address[32];
  };
  struct Pending {             // at one site
    uint32_t visits[32] = {};  // by lane
    std::vector<Request> requests;
    uint32_t used = 0;
  };
  struct Warp {
    uint32_t live = 0;
    std::vector<Pending> by_site;
    std::vector<SiteId> touched;
  };

  static void account(const Request& request, Counts& counts);
  static void flush(Warp& warp, CountsBySite& counts);

  std::vector<Warp> warps_;
  unsigned threads_ = 0;
};

}  // namespace emulation::instrument
