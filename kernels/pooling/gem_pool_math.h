// GeM's arithmetic on either device.
#pragma once

#include <cmath>

#include "kernels/common/host_device.h"
#include "kernels/pooling/gem_pool.h"

namespace tyto::kernels {

TYTO_HOST_DEVICE inline float gem_term(float x, float power, const GemPool& params) {
  if (params.rule == GemPool::Epsilon::Least) x = x < params.epsilon ? params.epsilon : x;  // NaN stays
  return power == 3 ? x * x * x : std::pow(x, power);  // 3 is what most networks have
}

TYTO_HOST_DEVICE inline float gem_root(float mean, float power, const GemPool& params) {
  if (params.rule == GemPool::Epsilon::Added) mean += params.epsilon;
  return std::pow(mean, 1 / power);
}

}  // namespace tyto::kernels
