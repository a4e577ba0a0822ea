// A small matrix transposed, as CPU kernels do it on the way to a tile.
#pragma once

#include <cstdint>
#include <cstring>

namespace tyto::kernels {

namespace detail {

// Fours of E, each as `of` makes it on the way.
template <class E, class Of>
inline void transpose_fours(const E* from, int64_t from_row, int64_t rows, int64_t columns, const Of& of,
                            E* to, int64_t to_row) {
  typedef E Four __attribute__((vector_size(16)));
  const auto load = [&](const E* p) {
    Four v;
    std::memcpy(&v, p, sizeof v);
    return of(v);
  };
  const int64_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
  for (int64_t i = 0; i < whole_rows; i += 4)
    for (int64_t j = 0; j < whole_columns; j += 4) {
      const E* at = from + i * from_row + j;
      const Four a = load(at), b = load(at + from_row);
      const Four c = load(at + 2 * from_row), d = load(at + 3 * from_row);
      const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
      const Four ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
      const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
      const Four cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
      const Four turned[] = {__builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5),
                             __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7),
                             __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5),
                             __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7)};
      for (int64_t k = 0; k < 4; ++k) std::memcpy(to + (j + k) * to_row + i, &turned[k], sizeof(Four));
    }
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j)
      to[j * to_row + i] = of(from[i * from_row + j]);
}

}  // namespace detail

// to[j * to_row + i] = factor * from[i * from_row + j] for i < rows, j < columns.
inline void transpose(const float* from, int64_t from_row, int64_t rows, int64_t columns, float factor,
                      float* to, int64_t to_row) {
  detail::transpose_fours(
      from, from_row, rows, columns, [factor](auto v) { return factor * v; }, to, to_row);
}

// As they are.
inline void transpose(const int32_t* from, int64_t from_row, int64_t rows, int64_t columns, int32_t* to,
                      int64_t to_row) {
  detail::transpose_fours(
      from, from_row, rows, columns, [](auto v) { return v; }, to, to_row);
}

inline void transpose(const double* from, int64_t from_row, int64_t rows, int64_t columns, double factor,
                      double* to, int64_t to_row) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) to[j * to_row + i] = factor * from[i * from_row + j];
}

}  // namespace tyto::kernels
