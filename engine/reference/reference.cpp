#include "engine/reference/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "engine/reference/array.h"
#include "engine/reference/detection.h"
#include "engine/reference/views.h"

namespace tyto {
namespace {

Array array_of(const Tensor& t) {
  const Tensor f = t.to_f32();
  const auto values = std::as_const(f).as<float>();
  return {t.shape(), {values.begin(), values.end()}};
}

std::vector<double> values_of(const Weight& w) { return array_of(w.load()).values; }

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
  }
  return v;
}

// One operator at a time; `in` holds its inputs.
struct Interpreter {
  const Node& node;
  std::vector<const Array*> in;

  Array result() const {
    return {node.shape, std::vector<double>(static_cast<size_t>(node.shape.elements()))};
  }
  const Array& x() const { return *in[0]; }

  Array operator()(const Input&) const { return result(); }

  Array operator()(const Conv2d& op) const {
    Array y = result();
    const Array w = array_of(node.weights[0].load());
    const std::vector<double> bias =
        node.weights.size() > 1 ? values_of(node.weights[1]) : std::vector<double>();
    const int64_t per_group = y.shape[1] / op.groups;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t n = 0; n < y.shape[0]; ++n)
      for (int64_t k = 0; k < y.shape[1]; ++k)
        for (int64_t i = 0; i < y.shape[2]; ++i)
          for (int64_t j = 0; j < y.shape[3]; ++j) {
            double sum = bias.empty() ? 0.0 : bias[static_cast<size_t>(k)];
            for (int64_t c = 0; c < w.shape[1]; ++c)
              for (int64_t r = 0; r < op.kernel; ++r)
                for (int64_t s = 0; s < op.kernel; ++s) {
                  const int64_t row = i * op.stride - op.padding.top + r * op.dilation;
                  const int64_t column = j * op.stride - op.padding.left + s * op.dilation;
                  if (row < 0 || column < 0 || row >= x().shape[2] || column >= x().shape[3]) continue;
                  sum += x().at(n, k / per_group * w.shape[1] + c, row, column) * w.at(k, c, r, s);
                }
            if (in.size() > 1) sum += in[1]->at(n, k, i, j);
            y.at(n, k, i, j) = activated(sum, op.activation);
          }
    return y;
  }

  Array operator()(const Linear& op) const {
    Array y = result();
    const std::vector<double> w = values_of(node.weights[0]);
    const std::vector<double> bias =
        node.weights.size() > 1 ? values_of(node.weights[1]) : std::vector<double>();
    const auto outputs = static_cast<size_t>(y.shape[1]), inputs = w.size() / std::max<size_t>(1, outputs);
    for (size_t n = 0; n < static_cast<size_t>(y.shape[0]); ++n)
      for (size_t o = 0; o < outputs; ++o) {
        double sum = bias.empty() ? 0.0 : bias[o];
        for (size_t i = 0; i < inputs; ++i) sum += x().values[n * inputs + i] * w[o * inputs + i];
        y.values[n * outputs + o] = activated(sum, op.activation);
      }
    return y;
  }

  // Calls f(image, channel, values of that channel in x, in y).
  template <class F>
  Array each_channel(const F& f) const {
    Array y = result();
    const int64_t channels = y.shape[1];
    const size_t area =
        channels == 0 || y.shape[0] == 0 ? 0 : y.values.size() / static_cast<size_t>(y.shape[0] * channels);
    for (int64_t n = 0; n < y.shape[0]; ++n)
      for (int64_t c = 0; c < channels; ++c) {
        const size_t at = static_cast<size_t>(n * channels + c) * area;
        f(c, std::span<const double>(x().values).subspan(at, area),
          std::span<double>(y.values).subspan(at, area));
      }
    return y;
  }

  Array operator()(const BatchNorm& op) const {
    const auto gamma = values_of(node.weights[0]), beta = values_of(node.weights[1]),
               mean = values_of(node.weights[2]), var = values_of(node.weights[3]);
    return each_channel([&](int64_t c, std::span<const double> from, std::span<double> to) {
      const auto i = static_cast<size_t>(c - op.first_channel);
      for (size_t p = 0; p < from.size(); ++p) {
        const double v = c < op.first_channel
                             ? from[p]
                             : (from[p] - mean[i]) / std::sqrt(var[i] + op.epsilon) * gamma[i] + beta[i];
        to[p] = activated(v, op.activation);
      }
    });
  }

  Array operator()(const InstanceNorm& op) const {
    const auto gamma = values_of(node.weights[0]), beta = values_of(node.weights[1]);
    return each_channel([&](int64_t c, std::span<const double> from, std::span<double> to) {
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

  Array operator()(const Add& op) const {
    Array y = result();
    for (size_t i = 0; i < y.values.size(); ++i)
      y.values[i] = activated(in[0]->values[i] + in[1]->values[i], op.activation);
    return y;
  }

  Array operator()(const Activate& op) const {
    Array y = result();
    for (size_t i = 0; i < y.values.size(); ++i) y.values[i] = activated(x().values[i], op.activation);
    return y;
  }

  Array operator()(const MaxPool& op) const {
    Array y = result();
    for (int64_t n = 0; n < y.shape[0]; ++n)
      for (int64_t c = 0; c < y.shape[1]; ++c)
        for (int64_t i = 0; i < y.shape[2]; ++i)
          for (int64_t j = 0; j < y.shape[3]; ++j) {
            double best = -std::numeric_limits<double>::infinity();
            for (int64_t r = 0; r < op.kernel; ++r)
              for (int64_t s = 0; s < op.kernel; ++s) {
                const int64_t row = i * op.stride - op.padding.top + r,
                              column = j * op.stride - op.padding.left + s;
                if (row < 0 || column < 0 || row >= x().shape[2] || column >= x().shape[3]) continue;
                best = std::max(best, x().at(n, c, row, column));
              }
            y.at(n, c, i, j) = best;
          }
    return y;
  }

  Array operator()(const AdaptiveAveragePool& op) const {
    Array y = result();
    for (int64_t n = 0; n < y.shape[0]; ++n)
      for (int64_t c = 0; c < y.shape[1]; ++c)
        for (int64_t i = 0; i < op.height; ++i)
          for (int64_t j = 0; j < op.width; ++j) {
            const int64_t top = i * x().shape[2] / op.height,
                          bottom = ((i + 1) * x().shape[2] + op.height - 1) / op.height;
            const int64_t left = j * x().shape[3] / op.width,
                          right = ((j + 1) * x().shape[3] + op.width - 1) / op.width;
            double sum = 0;
            for (int64_t row = top; row < bottom; ++row)
              for (int64_t column = left; column < right; ++column) sum += x().at(n, c, row, column);
            y.at(n, c, i, j) = sum / static_cast<double>((bottom - top) * (right - left));
          }
    return y;
  }

  Array operator()(const Flatten&) const { return {node.shape, x().values}; }

  Array operator()(const ScaleChannels&) const {
    Array y = result();
    for (int64_t n = 0; n < y.shape[0]; ++n)
      for (int64_t c = 0; c < y.shape[1]; ++c)
        for (int64_t i = 0; i < y.shape[2]; ++i)
          for (int64_t j = 0; j < y.shape[3]; ++j)
            y.at(n, c, i, j) = x().at(n, c, i, j) * in[1]->at(n, c, 0, 0);
    return y;
  }

  Array operator()(const L2Normalize& op) const {
    Array y = result();
    const std::vector<double> scale = values_of(node.weights[0]);
    for (int64_t n = 0; n < y.shape[0]; ++n)
      for (int64_t i = 0; i < y.shape[2]; ++i)
        for (int64_t j = 0; j < y.shape[3]; ++j) {
          double squares = 0;
          for (int64_t c = 0; c < y.shape[1]; ++c) squares += x().at(n, c, i, j) * x().at(n, c, i, j);
          const double length = std::sqrt(squares);
          const double by = op.rule == L2Normalize::Epsilon::Added ? length + op.epsilon
                                                                   : std::max<double>(length, op.epsilon);
          for (int64_t c = 0; c < y.shape[1]; ++c)
            y.at(n, c, i, j) = x().at(n, c, i, j) / by * scale[static_cast<size_t>(c)];
        }
    return y;
  }

  Array operator()(const ConcatMaps& op) const { return concat_maps_reference(in, op, node.shape); }
  Array operator()(const DecodeBoxes& op) const {
    return decode_boxes_reference(x(), values_of(node.weights[0]), op);
  }
  Array operator()(const ClassScores& op) const { return class_scores_reference(x(), op, node.shape); }
  Array operator()(const Nms& op) const { return nms_reference(x(), *in[1], op, node.shape); }

  Array operator()(const FlipHorizontal& op) const { return flip_horizontal_reference(x(), op); }
  Array operator()(const RescaleBicubic& op) const { return rescale_bicubic_reference(x(), op, node.shape); }
  Array operator()(const NormalizedSum&) const { return normalized_sum_reference(in); }
};

}  // namespace

std::map<std::string, Tensor> run_reference(const Graph& graph, const Tensor& input,
                                            const std::function<void()>& poll) {
  std::vector<Array> values;
  for (const Node& node : graph.nodes()) {
    if (poll) poll();
    Interpreter interpreter{node, {}};
    for (Value v : node.inputs) interpreter.in.push_back(&values[static_cast<size_t>(v.node)]);
    Array value = std::holds_alternative<Input>(node.op) ? array_of(input) : std::visit(interpreter, node.op);
    values.push_back(std::move(value));
  }
  std::map<std::string, Tensor> out;
  for (const auto& [name, value] : graph.outputs()) {
    const Array& a = values[static_cast<size_t>(value.node)];
    Tensor t(DType::F32, a.shape);
    std::transform(a.values.begin(), a.values.end(), t.as<float>().begin(),
                   [](double v) { return static_cast<float>(v); });
    out.emplace(name, std::move(t));
  }
  return out;
}

}  // namespace tyto
