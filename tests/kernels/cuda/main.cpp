// Runs the device tests on the emulated device, under the lane schedule that TYTO_SCHEDULE names (or
// forward). A test fails in which the device found a fault; the run fails if a kernel of the library was
// never launched.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "emulation/emulation.h"

namespace {

class FaultsFail : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo&) override {
    cudaDeviceSynchronize();  // what the test gave to a stream and did not wait for
    for (const std::string& fault : emulation::take_faults()) ADD_FAILURE() << fault;
  }
};

// Returns how many kernels were never launched.
int print_launches() {
  int64_t launches = 0;
  int never = 0;
  const std::vector<emulation::LaunchCount> counts = emulation::launch_counts();
  for (const emulation::LaunchCount& count : counts) {
    std::printf("%8lld  %s\n", static_cast<long long>(count.launches), count.kernel.c_str());
    launches += count.launches;
    never += count.launches == 0;
  }
  std::printf("%lld launches of %zu kernels under schedule %s\n", static_cast<long long>(launches),
              counts.size() - static_cast<size_t>(never), emulation::name_of(emulation::schedule()).c_str());
  return never;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (const char* schedule = std::getenv("TYTO_SCHEDULE"))
    emulation::set_schedule(emulation::schedule_from(schedule));
  testing::UnitTest::GetInstance()->listeners().Append(new FaultsFail);
  const int failed = RUN_ALL_TESTS();
  if (testing::GTEST_FLAG(list_tests)) return failed;

  const int never = print_launches();
  const bool whole_run = testing::GTEST_FLAG(filter) == "*";
  if (whole_run && never > 0) std::printf("FAILED: %d kernels were never launched\n", never);
  return failed != 0 || (whole_run && never > 0);
}
