// Does this machine compute what it should? Every operator and a small network, on the context's device,
// against the naive reference.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tyto/context.h"
#include "tyto/plan.h"

namespace tyto {

struct SelfTestResult {
  std::string name;       // "3x3 convolution, stride 2"
  std::string algorithm;  // what the device chose for it
  double error = 0;       // largest difference over the reference's largest value
  double tolerance = 0;   // derived from the precision and the number of terms summed
  bool passed() const { return error <= tolerance; }
};

std::vector<SelfTestResult> self_test(Context& context, Precision precision);

// A model on this device, against the reference, on noise of the model's input shape. `poll` is called now and then and
// may throw to stop.
std::vector<SelfTestResult> self_test(const Model& model, Context& context, Precision precision,
                                      const std::function<void()>& poll = {});

}  // namespace tyto
