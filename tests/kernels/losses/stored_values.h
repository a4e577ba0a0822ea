// Numbers as a loss over T gets and gives them, without the toolkit that defines the halves.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels/common/host_elements.h"

namespace tyto::kernels {

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

template <class T>
using Stored = std::conditional_t<kIsHalf<T>, uint16_t, T>;

template <class T>
std::vector<Stored<T>> stored(const std::vector<double>& values) {
  std::vector<Stored<T>> out(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    using Number = std::conditional_t<kIsHalf<T>, float, T>;
    set_host_element(reinterpret_cast<T*>(out.data()), static_cast<int64_t>(i),
                     static_cast<Number>(values[i]));
  }
  return out;
}

template <class T>
std::vector<double> doubles(const std::vector<Stored<T>>& values) {
  std::vector<double> out(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    out[i] =
        static_cast<double>(host_element(reinterpret_cast<const T*>(values.data()), static_cast<int64_t>(i)));
  return out;
}

// What is left of numbers that T stores.
template <class T>
std::vector<double> as_stored(const std::vector<double>& values) {
  return doubles<T>(stored<T>(values));
}

// The distance of a number from the next that T stores, relative to it, halved.
template <class T>
inline constexpr double kRounding = std::is_same_v<T, double>  ? 0x1p-53
                                    : std::is_same_v<T, float> ? 0x1p-24
                                    : std::is_same_v<T, Half>  ? 0x1p-11
                                                               : 0x1p-8;

}  // namespace tyto::kernels
