// The door for tests: how the emulated device runs kernels, and what it found.
#pragma once

#include <driver_types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace emulation {

// The order in which the threads of a block run between two of its barriers, and the work of streams between
// two of theirs (runtime/operations.h).
struct Schedule {
  enum class Order {
    Forward,  // by thread index
    Reverse,
    Shuffled,   // warps and lanes anew at every turn, by the seed
    WarpAhead,  // one warp, by the seed, runs to its next block barrier before any other starts
  };
  Order order = Order::Forward;
  uint64_t seed = 0;
};

void set_schedule(Schedule schedule);
Schedule schedule();
Schedule schedule_from(
    const std::string& text);  // "forward", "reverse", "shuffled:7", "warp-ahead:3"; std::invalid_argument
std::string name_of(const Schedule&);

// What the device refuses: an architecture's limits.
struct Architecture {
  std::string name = "sm_80";
  int major = 8, minor = 0;
  int64_t shared_bytes_per_block = 163
                                   << 10;  // static and dynamic together; dynamic above 48 KiB is asked for
  int max_threads_per_block = 1024;
};
void set_architecture(Architecture architecture);
const Architecture& architecture();

// A fault ends the launch that it happened in and leaves the device in a sticky error, as a real one would be
// left. Each is a sentence that names kernel, block, thread, and file and line.
std::vector<std::string> take_faults();  // and clears the sticky error

struct LaunchCount {
  std::string kernel;
  int64_t launches = 0;
};
// Every kernel that the program holds, also those that were never launched, by name.
std::vector<LaunchCount> launch_counts();

// The machine, as cudaGetDeviceCount and cudaMemGetInfo tell it. At the start: one device of 16 GiB.
void set_device_count(int count);
void set_device_memory(int64_t bytes);  // of each device; beyond it allocations fail

// One of the runtime's calls to come fails: the one after `skipped` others of that name ("cudaMalloc",
// "cudaLaunchKernelEx", ...; empty: any). It has no other effect.
void fail_next(cudaError_t error, const std::string& call = "", int skipped = 0);
bool cancel_failure();  // whether fail_next's call had not come yet

// Since the program began.
struct RuntimeCounts {
  int64_t allocations = 0;  // of device and of pinned memory
  int64_t frees = 0;
  int64_t launches = 0;       // kernels run, those of graphs too
  int64_t library_calls = 0;  // likewise
  int64_t copies = 0;         // and memsets, likewise
  int64_t graph_launches = 0;
  int64_t graph_instantiations = 0;
  int64_t host_synchronisations = 0;  // calls that made the host wait; a query is none
};
RuntimeCounts runtime_counts();

// What was created and not destroyed.
struct LiveObjects {
  size_t streams = 0, events = 0, graphs = 0, graph_executables = 0;
  bool operator==(const LiveObjects&) const = default;
};
LiveObjects live_objects();

// The devices that were opened since this was last asked: made current, or current when a call of the runtime
// needed a device. A program takes memory on each, and fails where one is another's alone.
std::vector<int> take_opened_devices();

}  // namespace emulation
