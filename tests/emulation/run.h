// Runs one kernel on the emulated device, below the runtime.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "emulation/emulation.h"
#include "kernels/common/launch.h"

namespace emulation {

inline const Schedule kForward{Schedule::Order::Forward}, kReverse{Schedule::Order::Reverse},
    kShuffled{Schedule::Order::Shuffled, 1}, kWarpAhead{Schedule::Order::WarpAhead, 3};
inline const Schedule kSchedules[] = {
    kForward, kReverse, kShuffled, {Schedule::Order::Shuffled, 2}, kWarpAhead};

struct Shape {
  dim3 grid = 1, block = 32;
  size_t shared_bytes = 0;
};

// Returns the fault's sentence, or nothing.
template <auto Kernel, class... Arguments>
std::string run(const Schedule& order, const Shape& shape, Arguments... arguments) {
  set_schedule(order);
  LaunchRequest request{&register_kernel(tyto::kernels::kernel_name<Kernel>()), shape.grid, shape.block,
                        shape.shared_bytes};
  request.body = [=] { Kernel(arguments...); };
  try {
    execute(request);
  } catch (const Fault& fault) {
    return fault.message;
  }
  return "";
}

// Whether the sentence holds all of the parts; a failure shows it.
inline testing::AssertionResult says(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    if (text.find(part) == std::string::npos)
      return testing::AssertionFailure() << "\"" << text << "\" lacks: " << part;
  return testing::AssertionSuccess();
}

inline std::string at(const char* file, int line) { return std::string(file) + ":" + std::to_string(line); }

}  // namespace emulation
