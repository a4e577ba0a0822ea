// Which operation comes before which, whatever the schedule: by streams, events and graphs, and by what the
// host has waited for.
//
// Operations that follow each other form chains, and every operation knows how far each chain had come before
// it: vector clocks, with chains in the place of threads.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace emulation::runtime {

using OperationId = uint64_t;  // rises as operations are given; 0: none

struct Moment {
  OperationId id = 0;
  int device = 0;
  std::string name;  // of the work
  uint64_t chain = 0, position = 0;
  std::map<uint64_t, uint64_t>
      reached;            // chain -> its last position that comes before this one, or is this one
  bool followed = false;  // by the next of its chain
  // The first operation that was given when the host had waited for this one. (Any thread of it: how threads
  // order themselves is not seen, and taken to be right.)
  OperationId known_from = std::numeric_limits<OperationId>::max();
};

// A new operation, after those.
std::shared_ptr<const Moment> new_moment(int device, const std::string& name,
                                         const std::vector<OperationId>& after);
// Whether `a` has finished before `b` begins; so has an operation before itself.
bool comes_before(const Moment& a, const Moment& b);

void host_knows(OperationId done);  // and all that came before it
void host_knows_all_of(int device);

}  // namespace emulation::runtime
