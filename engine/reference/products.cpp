// Convolutions and linear layers.
#include <algorithm>

#include "engine/reference/operators.h"

namespace tyto {

Results reference(const Conv2d& op, const Call& call) {
  Array y = call.result();
  const Array w = call.weight(0);
  const std::vector<double> bias = call.values(1);
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
                if (row < 0 || column < 0 || row >= call.x().shape[2] || column >= call.x().shape[3])
                  continue;
                sum += call.x().at(n, k / per_group * w.shape[1] + c, row, column) * w.at(k, c, r, s);
              }
          if (call.in.size() > 1) sum += call.in[1]->at(n, k, i, j);
          y.at(n, k, i, j) = activated(sum, op.activation);
        }
  return y;
}

Results reference(const ConvTranspose2d& op, const Call& call) {
  Array y = call.result();
  const Array w = call.weight(0);
  const std::vector<double> bias = call.values(1);
  const int64_t in_group = w.shape[0] / op.groups, out_group = w.shape[1];
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t k = 0; k < y.shape[1]; ++k) {
      for (int64_t i = 0; i < y.shape[2]; ++i)
        for (int64_t j = 0; j < y.shape[3]; ++j)
          y.at(n, k, i, j) = bias.empty() ? 0.0 : bias[static_cast<size_t>(k)];
      for (int64_t c = k / out_group * in_group; c < (k / out_group + 1) * in_group; ++c)
        for (int64_t h = 0; h < call.x().shape[2]; ++h)
          for (int64_t v = 0; v < call.x().shape[3]; ++v)
            for (int64_t r = 0; r < op.kernel; ++r)
              for (int64_t s = 0; s < op.kernel; ++s) {
                const int64_t row = h * op.stride - op.padding + r * op.dilation;
                const int64_t column = v * op.stride - op.padding + s * op.dilation;
                if (row < 0 || column < 0 || row >= y.shape[2] || column >= y.shape[3]) continue;
                y.at(n, k, row, column) += call.x().at(n, c, h, v) * w.at(c, k % out_group, r, s);
              }
      for (int64_t i = 0; i < y.shape[2]; ++i)
        for (int64_t j = 0; j < y.shape[3]; ++j)
          y.at(n, k, i, j) = activated(y.at(n, k, i, j), op.activation);
    }
  return y;
}

Results reference(const Linear& op, const Call& call) {
  Array y = call.result();
  const std::vector<double> w = call.values(0);
  const std::vector<double> bias = call.values(1);
  const auto outputs = static_cast<size_t>(call.node.weights[0].dim(0)),
             inputs = static_cast<size_t>(call.node.weights[0].dim(1));
  for (size_t n = 0; n < y.values.size() / std::max<size_t>(1, outputs); ++n)
    for (size_t o = 0; o < outputs; ++o) {
      double sum = bias.empty() ? 0.0 : bias[o];
      for (size_t i = 0; i < inputs; ++i) sum += call.x().values[n * inputs + i] * w[o * inputs + i];
      y.values[n * outputs + o] = activated(sum, op.activation);
    }
  return y;
}

}  // namespace tyto
