// Normalisations.
#include <algorithm>
#include <cmath>
#include <span>

#include "engine/reference/operators.h"

namespace tyto {
namespace {

// Calls f(channel, values of that channel in x, in y).
template <class F>
Array each_channel(const Call& call, const F& f) {
  Array y = call.result();
  const int64_t channels = y.shape[1];
  const size_t area =
      channels == 0 || y.shape[0] == 0 ? 0 : y.values.size() / static_cast<size_t>(y.shape[0] * channels);
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t c = 0; c < channels; ++c) {
      const size_t at = static_cast<size_t>(n * channels + c) * area;
      f(c, std::span<const double>(call.x().values).subspan(at, area),
        std::span<double>(y.values).subspan(at, area));
    }
  return y;
}

}  // namespace

Results reference(const BatchNorm& op, const Call& call) {
  const auto gamma = call.values(0), beta = call.values(1), mean = call.values(2), var = call.values(3);
  return each_channel(call, [&](int64_t c, std::span<const double> from, std::span<double> to) {
    const auto i = static_cast<size_t>(c - op.first_channel);
    for (size_t p = 0; p < from.size(); ++p) {
      const double v = c < op.first_channel
                           ? from[p]
                           : (from[p] - mean[i]) / std::sqrt(var[i] + op.epsilon) * gamma[i] + beta[i];
      to[p] = activated(v, op.activation);
    }
  });
}

Results reference(const InstanceNorm& op, const Call& call) {
  const auto gamma = call.values(0), beta = call.values(1);
  return each_channel(call, [&](int64_t c, std::span<const double> from, std::span<double> to) {
    const auto i = static_cast<size_t>(c), count = from.size();
    double mean = 0, var = 0;
    for (double v : from) mean += v / static_cast<double>(count);
    for (double v : from) var += (v - mean) * (v - mean) / static_cast<double>(count);
    for (size_t p = 0; p < count; ++p) {
      const double v =
          i >= gamma.size() ? from[p] : (from[p] - mean) / std::sqrt(var + op.epsilon) * gamma[i] + beta[i];
      to[p] = activated(v, op.activation);
    }
  });
}

Results reference(const L2Normalize& op, const Call& call) {
  Array y = call.result();
  const std::vector<double> scale = call.values(0);
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t i = 0; i < y.shape[2]; ++i)
      for (int64_t j = 0; j < y.shape[3]; ++j) {
        double squares = 0;
        for (int64_t c = 0; c < y.shape[1]; ++c) squares += call.x().at(n, c, i, j) * call.x().at(n, c, i, j);
        const double length = std::sqrt(squares);
        const double by = op.rule == L2Normalize::Epsilon::Added ? length + op.epsilon
                                                                 : std::max<double>(length, op.epsilon);
        for (int64_t c = 0; c < y.shape[1]; ++c)
          y.at(n, c, i, j) = call.x().at(n, c, i, j) / by * scale[static_cast<size_t>(c)];
      }
  return y;
}

}  // namespace tyto
