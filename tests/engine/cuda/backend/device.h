// What tests on the emulated device share.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "emulation/emulation.h"
#include "support/temporary_folder.h"
#include "tyto/context.h"

namespace emulation {

// For GoogleTest.
inline void PrintTo(const LiveObjects& live, std::ostream* out) {
  *out << live.streams << " streams, " << live.events << " events, " << live.graphs << " graphs, "
       << live.graph_executables << " graph executables";
}

}  // namespace emulation

namespace tyto {

inline ContextOptions on(const std::string& device) {
  ContextOptions options;
  options.device = device;
  return options;
}

// The sentence of the Error that `work` ends with.
inline std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// Leaves a machine of one healthy GPU behind, and fails where the device found a fault or something was left
// on it.
class Emulated : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(emulation::live_objects(), emulation::LiveObjects());
    emulation::cancel_failure();
    emulation::set_device_count(1);
    emulation::set_device_memory(int64_t{16} << 30);
    emulation::set_schedule({});
    EXPECT_EQ(joined(emulation::take_faults()), "");
  }

  TemporaryFolder folder;
};

}  // namespace tyto
