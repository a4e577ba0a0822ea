// A row of logits on the CPU, taken in blocks that compilers turn into vectors, the last one too. Lambdas are
// always inlined: outside of a function of several vector widths they would be compiled for the least. Of the
// family's own use.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/common/host_elements.h"
#include "kernels/losses/loss.h"
#include "kernels/losses/real_functions.h"

namespace tyto::kernels {

inline constexpr int kRowBlock = 32;

// Calls body(of, first, count) for the elements first .. first + count - 1 of a row, of(l) being element
// first + l; from count to kRowBlock of(l) is -infinity.
template <class T, class Body>
[[gnu::always_inline]] inline void for_each_block(const T* row, int64_t n, const Body& body) {
  const int64_t whole = n / kRowBlock * kRowBlock;
  for (int64_t first = 0; first < whole; first += kRowBlock)
    body(
        [&](int l) __attribute__((always_inline)) { return host_element(row, first + l); }, first, kRowBlock);
  if (whole == n) return;
  const int rest = static_cast<int>(n - whole);
  Computed<T> last[kRowBlock];
  std::fill_n(last, kRowBlock, -std::numeric_limits<Computed<T>>::infinity());
  for (int l = 0; l < rest; ++l) last[l] = host_element(row, whole + l);
  body(
      [&](int l) __attribute__((always_inline)) { return last[l]; }, whole, rest);
}

// The upper half joins the lower half until one is left.
template <class C, class Join>
[[gnu::always_inline]] inline C join_block(C (&block)[kRowBlock], const Join& join) {
  static_assert(kRowBlock == 32);
  for (int l = 0; l < 16; ++l) block[l] = join(block[l], block[l + 16]);
  for (int l = 0; l < 8; ++l) block[l] = join(block[l], block[l + 8]);
  for (int l = 0; l < 4; ++l) block[l] = join(block[l], block[l + 4]);
  return join(join(block[0], block[2]), join(block[1], block[3]));
}
template <class C>
[[gnu::always_inline]] inline C sum_of_block(C (&block)[kRowBlock]) {
  return join_block(
      block, [](C a, C b) __attribute__((always_inline)) { return a + b; });
}

// The largest of a row; NaN where the row is not finite.
template <class T>
[[gnu::always_inline]] inline Computed<T> largest_logit(const T* row, int64_t n) {
  using C = Computed<T>;
  const auto larger = [](C a, C b) __attribute__((always_inline)) { return b > a ? b : a; };
  C largest[kRowBlock], sound[kRowBlock] = {};  // 0, or NaN
  std::fill_n(largest, kRowBlock, -std::numeric_limits<C>::infinity());
  for_each_block(
      row, n, [&](const auto& of, int64_t, int count) __attribute__((always_inline)) {
        for (int l = 0; l < kRowBlock; ++l) largest[l] = larger(largest[l], of(l));
        for (int l = 0; l < count; ++l) sound[l] += of(l) * C{0};
      });
  return join_block(largest, larger) + sum_of_block(sound);
}

// The sum of e^(element - largest).
template <class T>
[[gnu::always_inline]] inline Computed<T> sum_of_exponentials(const T* row, int64_t n, Computed<T> largest) {
  using C = Computed<T>;
  C sums[kRowBlock] = {};
  for_each_block(
      row, n, [&](const auto& of, int64_t, int) __attribute__((always_inline)) {
        for (int l = 0; l < kRowBlock; ++l) sums[l] += exp_of(of(l) - largest);
      });
  return sum_of_block(sums);
}

// Not of logits, but of what rows came to.
template <class C>
inline C sum_of_row(const C* row, int64_t n) {
  C sums[kRowBlock] = {};
  for_each_block(
      row, n, [&](const auto& of, int64_t, int count) __attribute__((always_inline)) {
        for (int l = 0; l < count; ++l) sums[l] += of(l);
      });
  return sum_of_block(sums);
}

template <class T>
inline void fill_row(T* row, int64_t n, Computed<T> value) {
  for (int64_t j = 0; j < n; ++j) set_host_element(row, j, value);
}

}  // namespace tyto::kernels
