// Names positions in this program's code by file and line. Needs debug information (-g1) and addr2line.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace emulation::instrument {

// Return addresses of calls, as the hooks get them. Where helpers of a header were inlined into a .cu file,
// the line is the .cu file's. "?" where nothing is known.
class SourceLines {
 public:
  void resolve(const std::vector<const void*>& positions);  // those not yet known, in one go
  const std::string& at(const void* position) const;

 private:
  std::map<const void*, std::string> lines_;
};

}  // namespace emulation::instrument
