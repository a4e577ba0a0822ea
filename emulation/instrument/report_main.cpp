// Linked into a program of one's own with -Wl,--wrap=main, this watches the program's main() and reports what
// it did. The exit status is 1 where something is wrong.
#include <cuda_runtime_api.h>

#include <iostream>

#include "emulation/emulation.h"
#include "emulation/instrument/instrument.h"

extern "C" int __real_main(int count, char** arguments);

extern "C" int __wrap_main(int count, char** arguments) {
  emulation::instrument::start();
  const int status = __real_main(count, arguments);
  cudaDeviceSynchronize();
  bool wrong = false;
  for (const std::string& fault : emulation::take_faults()) {
    std::cout << "fault: " << fault << "\n";
    wrong = true;
  }
  for (const auto& finding : emulation::instrument::take_findings()) {
    std::cout << "finding: " << finding.message << "\n";
    wrong = true;
  }
  emulation::instrument::print_profile(emulation::instrument::take_profile(), std::cout);
  std::cout << (wrong ? "not clean" : "clean") << std::endl;
  return wrong ? 1 : status;
}
