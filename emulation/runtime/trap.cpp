#include "emulation/runtime/trap.h"

#include <ucontext.h>

#include <csignal>
#include <cstdio>

#include "emulation/runtime/operations.h"
#include "emulation/sanitizer.h"

namespace emulation::runtime {
namespace {

struct sigaction before;

constexpr greg_t kWrites = 2;  // in the page fault's error code

// Kernels touch memory outside of the allocator, so that it may be called here; and where touch() refuses,
// the program is lost, and building a string risks nothing more.
void handle(int signal, siginfo_t* info, void* context) {
  const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
  if (touch(info->si_addr, (registers[REG_ERR] & kWrites) != 0)) return;
  sigaction(signal, &before, nullptr);  // the access is tried again and ends the program there
  const std::string buffer = forbidden_buffer(info->si_addr);
  if (buffer.empty()) return;
  const Work* work = running_work();
  std::fprintf(stderr, "emulated device: %s touches %s\n", work ? work->name.c_str() : "host code",
               buffer.c_str());
  std::fflush(stderr);
}

bool install() {
  if (kAddressSanitizer) return true;  // names the line by itself
  struct sigaction action {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO;
  return sigaction(SIGSEGV, &action, &before) == 0;
}

}  // namespace

void install_trap() { [[maybe_unused]] static const bool installed = install(); }

}  // namespace emulation::runtime
