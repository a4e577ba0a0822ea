#include "kernels/emulation/runtime/trap.h"

#include <csignal>
#include <cstdio>

#include "kernels/emulation/runtime/operations.h"
#include "kernels/emulation/sanitizer.h"

namespace emulation::runtime {
namespace {

struct sigaction before;

// The program is lost, so that building a string here risks nothing more.
void explain(int signal, siginfo_t* info, void*) {
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
  action.sa_sigaction = explain;
  action.sa_flags = SA_SIGINFO;
  return sigaction(SIGSEGV, &action, &before) == 0;
}

}  // namespace

void install_trap() { [[maybe_unused]] static const bool installed = install(); }

}  // namespace emulation::runtime
