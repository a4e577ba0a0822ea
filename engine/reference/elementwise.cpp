// What looks at one value at a time.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/reference/operators.h"

namespace tyto {

double activated(double v, Activation activation) {
  switch (activation) {
    case Activation::None:
      break;
    case Activation::Relu:
      return std::max(v, 0.0);
    case Activation::Relu6:
      return std::clamp(v, 0.0, 6.0);
    case Activation::HardSigmoid:
      return std::clamp(v / 6 + 0.5, 0.0, 1.0);
    case Activation::HardSwish:
      return v * std::clamp(v / 6 + 0.5, 0.0, 1.0);
    case Activation::Sigmoid:
      return 1 / (1 + std::exp(-v));
    case Activation::Tanh:
      return std::tanh(v);
    case Activation::Silu:
      return v / (1 + std::exp(-v));
    case Activation::GeluErf:
      return v * (1 + std::erf(v / std::numbers::sqrt2)) / 2;
    case Activation::GeluTanh:
      return v * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v))) / 2;
  }
  return v;
}

namespace {

// Calls f(a, b) for each element of the first input and the one of the second that is repeated there.
template <class F>
Array repeated(const Call& call, Activation activation, const F& f) {
  const Array& a = call.x();
  Array b = *call.in[1];
  if (call.channels_of_map(1)) b.shape = {b.shape[0], 1, 1};
  Array y = call.result();
  for (size_t i = 0; i < y.values.size(); ++i) {
    auto rest = static_cast<int64_t>(i), at = int64_t{0}, stride = int64_t{1};
    for (size_t d = 1; d <= b.shape.rank(); ++d) {
      const int64_t size = a.shape[a.shape.rank() - d], repeats = b.shape[b.shape.rank() - d];
      at += repeats == 1 ? 0 : rest % size * stride;
      stride *= repeats;
      rest /= size;
    }
    y.values[i] = activated(f(a.values[i], b.values[static_cast<size_t>(at)]), activation);
  }
  return y;
}

}  // namespace

Results reference(const Add& op, const Call& call) {
  return repeated(call, op.activation, [](double a, double b) { return a + b; });
}

Results reference(const Sub& op, const Call& call) {
  return repeated(call, op.activation, [](double a, double b) { return a - b; });
}

Results reference(const Mul& op, const Call& call) {
  return repeated(call, op.activation, [](double a, double b) { return a * b; });
}

Results reference(const Activate& op, const Call& call) {
  Array y = call.result();
  for (size_t i = 0; i < y.values.size(); ++i) y.values[i] = activated(call.x().values[i], op.activation);
  return y;
}

}  // namespace tyto
