#include "engine/graph/batch_norm_affine.h"

#include <cmath>

namespace tyto {

std::vector<double> batch_norm_scales(const Node& batch_norm, int64_t channels) {
  const auto& op = std::get<BatchNorm>(batch_norm.op);
  const Tensor gamma = batch_norm.weights[0].load(), var = batch_norm.weights[3].load();
  const auto g = gamma.as<float>(), v = var.as<float>();
  std::vector<double> scales(static_cast<size_t>(channels), 1.0);
  for (size_t i = 0; i < g.size(); ++i)
    scales[static_cast<size_t>(op.first_channel) + i] = g[i] / std::sqrt(double{v[i]} + op.epsilon);
  return scales;
}

ChannelAffine channel_affine_of(const Node& batch_norm, int64_t channels) {
  const Tensor beta = batch_norm.weights[1].load(), mean = batch_norm.weights[2].load();
  const auto first = static_cast<size_t>(std::get<BatchNorm>(batch_norm.op).first_channel);
  const std::vector<double> scales = batch_norm_scales(batch_norm, channels);
  ChannelAffine affine{{scales.begin(), scales.end()}, std::vector<float>(scales.size(), 0.0f)};
  for (size_t c = first; c < scales.size(); ++c) {
    if (!std::isfinite(scales[c]))
      throw Error(ErrorKind::Format, "batch norm '" + batch_norm.name + "' has a negative running_var");
    affine.shift[c] =
        static_cast<float>(beta.as<float>()[c - first] - mean.as<float>()[c - first] * scales[c]);
  }
  return affine;
}

}  // namespace tyto
