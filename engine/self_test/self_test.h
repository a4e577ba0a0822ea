// Does this machine compute what it should? Every operator, preprocessing on the device and a small network,
// on the context's device, against the naive reference and the CPU.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tyto/context.h"
#include "tyto/plan.h"

namespace tyto {

struct SelfTestResult {
  std::string name;                    // "3x3 convolution, stride 2"
  std::string algorithm;               // what the device chose for it
  double error = 0;                    // largest difference over the reference's largest value
  double tolerance = 0;                // derived from the precision and the number of terms summed
  std::string first_wrong_layer = {};  // of a model on a GPU that did not pass, where a single one is off
  bool passed() const { return error <= tolerance; }
};

std::vector<SelfTestResult> self_test(Context& context, Precision precision);

// A model on noise of its input shape: on a GPU against the CPU's result, on the CPU against the naive
// reference's. `poll` is called now and then and may throw to stop. set: options of the network in place of
// the model file's.
std::vector<SelfTestResult> self_test(const Model& model, Context& context, Precision precision,
                                      const std::function<void()>& poll = {},
                                      const std::map<std::string, std::string>& set = {});

}  // namespace tyto
