#pragma once

#include "kernels/common/activation.h"

namespace tyto {

inline constexpr kernels::Activation kEveryActivation[] = {
    kernels::Activation::None,        kernels::Activation::Relu,      kernels::Activation::Relu6,
    kernels::Activation::HardSigmoid, kernels::Activation::HardSwish, kernels::Activation::Sigmoid,
    kernels::Activation::Tanh,        kernels::Activation::Silu,      kernels::Activation::GeluErf,
    kernels::Activation::GeluTanh};

}  // namespace tyto
