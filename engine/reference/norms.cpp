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

namespace {

// (from - mean) / sqrt(variance + epsilon) of all of these.
void normalize(std::span<const double> from, double epsilon, std::span<double> to) {
  const auto count = static_cast<double>(from.size());
  double mean = 0, variance = 0;
  for (double v : from) mean += v / count;
  for (double v : from) variance += (v - mean) * (v - mean) / count;
  for (size_t i = 0; i < from.size(); ++i) to[i] = (from[i] - mean) / std::sqrt(variance + epsilon);
}

}  // namespace

Results reference(const LayerNorm& op, const Call& call) {
  Array y = call.result();
  const auto gamma = call.values(0), beta = call.values(1);
  const auto width = static_cast<size_t>(y.shape[y.shape.rank() - 1]);
  for (size_t at = 0; at < y.values.size(); at += width) {
    const auto row = std::span(y.values).subspan(at, width);
    normalize(std::span(call.x().values).subspan(at, width), op.epsilon, row);
    for (size_t c = 0; c < gamma.size(); ++c) row[c] = row[c] * gamma[c] + beta[c];
  }
  return y;
}

Results reference(const GroupNorm& op, const Call& call) {
  Array y = call.result();
  const auto gamma = call.values(0), beta = call.values(1);
  const auto area = static_cast<size_t>(y.shape[2] * y.shape[3]), channels = static_cast<size_t>(y.shape[1]),
             group = channels / static_cast<size_t>(op.groups) * area;
  for (size_t at = 0; at < y.values.size() && group > 0; at += group)
    normalize(std::span(call.x().values).subspan(at, group), op.epsilon,
              std::span(y.values).subspan(at, group));
  for (size_t i = 0; i < y.values.size(); ++i) {
    const size_t c = i / area % channels;
    y.values[i] = activated(gamma.empty() ? y.values[i] : y.values[i] * gamma[c] + beta[c], op.activation);
  }
  return y;
}

Results reference(const Softmax& op, const Call& call) {
  Array y = call.x();
  const size_t axis = call.axis(op.axis);
  int64_t inner = 1;
  for (size_t d = axis + 1; d < y.shape.rank(); ++d) inner *= y.shape[d];
  const int64_t size = y.shape[axis];
  for (int64_t i = 0; i < y.shape.elements() / size; ++i) {
    const auto at = [&](int64_t k) -> double& {
      return y.values[static_cast<size_t>((i / inner * size + k) * inner + i % inner)];
    };
    double largest = at(0), sum = 0;
    for (int64_t k = 0; k < size; ++k) largest = std::max(largest, at(k));
    for (int64_t k = 0; k < size; ++k) sum += at(k) = std::exp(at(k) - largest);
    for (int64_t k = 0; k < size; ++k) at(k) /= sum;
  }
  return y;
}

}  // namespace tyto
