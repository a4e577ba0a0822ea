// Linked into programs that run on the emulated device: what to emulate comes from the environment, and a
// program whose kernels did wrong fails, whatever it thinks of itself.
//   TYTO_SCHEDULE           the order of threads and blocks: forward, reverse, shuffled:7, warp-ahead:3
//   TYTO_EMULATED_DEVICES   how many GPUs the machine has
//   TYTO_EMULATED_MEMORY    the bytes that each has
#include <cstdio>
#include <cstdlib>
#include <string>

#include "emulation/emulation.h"

namespace {

constexpr int kFaultExit = 99;

struct Environment {
  Environment() {
    if (const char* schedule = std::getenv("TYTO_SCHEDULE"))
      emulation::set_schedule(emulation::schedule_from(schedule));
    if (const char* devices = std::getenv("TYTO_EMULATED_DEVICES"))
      emulation::set_device_count(std::stoi(devices));
    if (const char* memory = std::getenv("TYTO_EMULATED_MEMORY"))
      emulation::set_device_memory(std::stoll(memory));
  }
  ~Environment() {
    const auto faults = emulation::take_faults();
    for (const std::string& fault : faults) std::fprintf(stderr, "emulated device: %s\n", fault.c_str());
    std::fflush(nullptr);
    if (!faults.empty()) std::_Exit(kFaultExit);
  }
};

const Environment environment;

}  // namespace
