// The door to the instrument: what a kernel does to memory, access by access. For sources that were compiled
// with -fsanitize=thread and linked with this library in place of libtsan; see emulation/README.md.
#pragma once

#include <vector_types.h>

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace emulation::instrument {

// Watches every launch of this process from now on. Memory that was allocated before is unknown to it.
void start();
void stop();

enum class FindingKind {
  Bounds,             // an access outside of every buffer
  Misaligned,         // an access whose size does not divide its address, which faults on a GPU
  Uninitialised,      // a read of shared or fresh device memory that nothing wrote
  RaceInBlock,        // two threads on one word, one writing, with no barrier between
  RaceBetweenBlocks,  // two blocks on one word of device memory within a launch, one writing
  OrderOfAtomics,  // a sum of floats, or an exchange, whose bits depend on which of two threads comes first
  MissedBarrier,   // a block barrier that some threads reach and others, which have ended, do not
};

// One pair of lines (or one line) of one kernel. The numbers are those of the first time.
struct Finding {
  FindingKind kind{};
  std::string kernel;
  std::string line, other_line;  // "kernels/norm/norm.cu:83"; the other access of a race, or empty
  dim3 block;
  int thread = 0;       // in the block
  int64_t count = 0;    // accesses
  std::string message;  // all of this in a sentence
};
std::vector<Finding> take_findings();

// A request is what a warp's lanes do at one position of the code, together since they last reconverged.
struct Counts {
  int64_t global_requests = 0, global_bytes_read = 0, global_bytes_written = 0;
  int64_t sectors = 0;        // of 32 bytes, that the requests touch
  int64_t ideal_sectors = 0;  // that the same distinct bytes would need side by side
  int64_t shared_requests = 0, shared_bytes_read = 0, shared_bytes_written = 0;
  int64_t wavefronts = 0;        // passes over the 32 banks
  int64_t ideal_wavefronts = 0;  // without bank conflicts
  int64_t lanes = 0;             // active, over all requests
  int64_t atomics = 0;           // threads' atomic operations; their bytes and sectors are counted above
  int64_t local_bytes = 0;       // on the thread's own stack: what a GPU may keep in registers
  // On tensor cores, each with its sum; of 16-bit operands (fp16, bf16), and of tf32.
  int64_t half_products = 0, tf32_products = 0;

  Counts& operator+=(const Counts&);
  int64_t requests() const { return global_requests + shared_requests; }
  int64_t products() const { return half_products + tf32_products; }
};

struct LineProfile {
  std::string line;
  Counts counts;
};

struct LaunchProfile {
  dim3 grid, block;
  size_t dynamic_shared_bytes = 0;
  Counts counts;
  int64_t distinct_bytes_read = 0,
          distinct_bytes_written = 0;  // of device memory: to set against the contract
  int64_t most_atomics_on_one_address = 0;
  int64_t block_barriers = 0;               // over all blocks
  double operations = 0, exponentials = 0;  // scalar ones, as the launch states them: see ScalarWork
};

struct KernelProfile {
  std::string kernel;
  std::vector<LineProfile> lines;  // by file and line
  std::vector<LaunchProfile> launches;

  Counts total() const;
};

using Profile = std::vector<KernelProfile>;  // by kernel

// Of the launches since the last call.
Profile take_profile();
void discard_profile();                              // cheaper than taking it: no line is looked up
void print_profile(const Profile&, std::ostream&);   // a table a kernel: its lines and their sum
void print_launches(const Profile&, std::ostream&);  // one table with tabs, for programs: a row a launch

}  // namespace emulation::instrument
