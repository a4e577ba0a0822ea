#include "apps/spin_count.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace tyto::apps {
namespace {

// Turns of a waiting loop until the thread sleeps. A thread that spins uses up the share of the CPU that its
// process has beside other work, which the thread that it waits for then lacks; one that sleeps costs a
// wake-up at every barrier. MobileNetV2, fp32, batch 1, many short layers, on two cores of an EPYC; median
// milliseconds a run, alone and beside a program of two busy threads (OpenVINO: 6.3 and 13.7):
//     300,000 (libgomp's own)   5.8   441 (one turn of 100 runs)
//      10,000                   5.8    35 (likewise)
//       2,000                   6.1    14
//       1,000                   6.1    11
//           0                   7.8     8 (likewise)
// A count lasts longer where the processor's pause does (Intel's, since Skylake), so of two that serve it is
// the smaller one.
constexpr const char* kSpinCount = "1000";

}  // namespace

void limit_spinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  if (getauxval(AT_BASE) == 0) return;  // run by `ld.so tyto`: /proc/self/exe is the loader
  // By its name: as "/proc/self/exe" it would be `exe` in ps and top.
  std::error_code failed;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed || setenv("GOMP_SPINCOUNT", kSpinCount, 0) != 0) return;
  execv(program.c_str(), argv);
}

}  // namespace tyto::apps
