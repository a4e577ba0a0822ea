// Runs the device tests under the instrument. A test fails that leaves a finding. What the kernels' memory
// does in the suite "Profile", whose shapes are large and regular, is printed kernel by kernel; the run fails
// for one that moves more than 1.25 times its ideal sectors or has bank conflicts with no reason in
// memory_reasons.h, for a reason that is needed no more, and for a kernel that no test of the suite launches.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>

#include "emulation/emulation.h"
#include "emulation/instrument/instrument.h"
#include "kernels/cuda/memory_reasons.h"

namespace {

using emulation::instrument::Counts;
using emulation::instrument::Finding;
using emulation::instrument::KernelProfile;
using emulation::instrument::Profile;

std::string without_arguments(const std::string& kernel) { return kernel.substr(0, kernel.find('<')); }

class Inspector : public testing::EmptyTestEventListener {
 public:
  Profile profile() const {
    Profile all;
    for (const auto& [name, kernel] : kernels_) all.push_back(kernel);
    return all;
  }

 private:
  void OnTestStart(const testing::TestInfo&) override { emulation::instrument::discard_profile(); }

  void OnTestEnd(const testing::TestInfo& test) override {
    cudaDeviceSynchronize();  // what the test gave to a stream and did not wait for
    for (const std::string& fault : emulation::take_faults()) ADD_FAILURE() << fault;
    for (const Finding& finding : emulation::instrument::take_findings()) ADD_FAILURE() << finding.message;
    if (test.test_suite_name() == std::string("Profile"))
      for (const KernelProfile& kernel : emulation::instrument::take_profile()) merge(kernel);
  }

  void merge(const KernelProfile& kernel) {
    KernelProfile& all = kernels_[kernel.kernel];
    all.kernel = kernel.kernel;
    all.launches.insert(all.launches.end(), kernel.launches.begin(), kernel.launches.end());
    for (const auto& line : kernel.lines) {
      const auto known = std::find_if(all.lines.begin(), all.lines.end(),
                                      [&](const auto& l) { return l.line == line.line; });
      if (known == all.lines.end())
        all.lines.push_back(line);
      else
        known->counts += line.counts;
    }
  }

  std::map<std::string, KernelProfile> kernels_;
};

bool wastes_memory(const Counts& c) {
  return 4 * c.sectors > 5 * c.ideal_sectors || c.wavefronts > c.ideal_wavefronts;
}

// Returns how many kernels break the rule; says which.
int judge(const Profile& profile, bool whole_run) {
  int broken = 0;
  const auto fail = [&](const std::string& kernel, const std::string& why) {
    std::cout << "FAILED: " << kernel << " " << why << "\n";
    ++broken;
  };
  std::set<std::string> launched, wasteful;
  for (const KernelProfile& kernel : profile) {
    const std::string name = without_arguments(kernel.kernel);
    launched.insert(name);
    if (wastes_memory(kernel.total())) wasteful.insert(name);
  }
  const auto& reasons = tyto::kernels::kMemoryReasons;
  const auto has_reason = [&](const std::string& name) {
    return std::any_of(reasons.begin(), reasons.end(), [&](const auto& r) { return r.kernel == name; });
  };
  for (const std::string& name : wasteful)
    if (!has_reason(name))
      fail(name, "moves over 1.25 times its ideal sectors, or conflicts in banks, without a reason");
  if (!whole_run) return broken;
  for (const auto& reason : reasons)
    if (!wasteful.contains(std::string(reason.kernel)))
      fail(std::string(reason.kernel), "needs its reason no more");
  std::set<std::string> absent;
  for (const auto& count : emulation::launch_counts())
    if (!launched.contains(without_arguments(count.kernel))) absent.insert(without_arguments(count.kernel));
  for (const std::string& name : absent) fail(name, "is launched by no test of the suite Profile");
  return broken;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  emulation::instrument::start();
  auto* inspector = new Inspector;
  testing::UnitTest::GetInstance()->listeners().Append(inspector);
  const int failed = RUN_ALL_TESTS();
  if (testing::GTEST_FLAG(list_tests)) return failed;
  emulation::instrument::print_profile(inspector->profile(), std::cout);
  if (const char* file = std::getenv("TYTO_LAUNCHES")) {  // for bench/predict
    std::ofstream launches(file);
    emulation::instrument::print_launches(inspector->profile(), launches);
  }
  return judge(inspector->profile(), testing::GTEST_FLAG(filter) == "*") != 0 || failed != 0;
}
