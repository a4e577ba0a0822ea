#include "engine/graph/batch_norm_affine.h"

#include <cmath>

namespace tyto {

ChannelAffine channel_affine_of(const Node& batch_norm, int64_t channels) {
  const auto& op = std::get<BatchNorm>(batch_norm.op);
  const Tensor gamma = batch_norm.weights[0].load(), beta = batch_norm.weights[1].load(),
               mean = batch_norm.weights[2].load(), var = batch_norm.weights[3].load();
  const auto count = static_cast<size_t>(channels), first = static_cast<size_t>(op.first_channel);
  ChannelAffine affine{std::vector<float>(count, 1.0f), std::vector<float>(count, 0.0f)};
  for (size_t c = first; c < count; ++c) {
    const double s =
        gamma.as<float>()[c - first] / std::sqrt(double{var.as<float>()[c - first]} + op.epsilon);
    if (!std::isfinite(s))
      throw Error(ErrorKind::Format, "batch norm '" + batch_norm.name + "' has a negative running_var");
    affine.scale[c] = static_cast<float>(s);
    affine.shift[c] = static_cast<float>(beta.as<float>()[c - first] - mean.as<float>()[c - first] * s);
  }
  return affine;
}

}  // namespace tyto
