// What a kernel over T computes, sums and reports in: float of halves.
#pragma once

#include <type_traits>

namespace tyto::kernels {

template <class T>
using Computed = std::conditional_t<std::is_same_v<T, double>, double, float>;

}  // namespace tyto::kernels
