#include "kernels/pooling/adaptive_average_pool.h"

#include <gtest/gtest.h>

#include "engine/self_test/tolerance.h"
#include "kernels/blocked_batch.h"

namespace tyto::kernels {
namespace {

// PyTorch's rule: cell i of `cells` covers floor(i * size / cells) up to ceil((i + 1) * size / cells).
double average(BlockedBatch& x, int64_t i, int64_t c, int64_t row, int64_t column, int64_t rows,
               int64_t columns) {
  const auto& v = x.view();
  double sum = 0, count = 0;
  for (int64_t y = 0; y < v.height; ++y)
    for (int64_t z = 0; z < v.width; ++z) {
      const bool inside = y >= row * v.height / rows && y * rows < (row + 1) * v.height &&
                          z >= column * v.width / columns && z * columns < (column + 1) * v.width;
      if (!inside) continue;
      sum += x.at(i, c, y, z);
      ++count;
    }
  return sum / count;
}

TEST(AdaptiveAveragePool, AveragesPyTorchsCellsInEveryLayout) {
  for (const BatchShape& shape : unkind_shapes())
    for (int64_t block : blocks())
      for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {2, 3}, {7, 7}}) {
        BlockedBatch x(shape, block), y({shape.n, shape.channels, rows, columns}, block);
        x.fill(3);
        adaptive_average_pool_cpu(x.read(), y.view());
        const double tolerance =
            2 * sum_tolerance(Precision::Fp32, static_cast<double>(shape.height * shape.width), 1);
        for (int64_t i = 0; i < shape.n; ++i)
          for (int64_t c = 0; c < shape.channels; ++c)
            for (int64_t r = 0; r < rows; ++r)
              for (int64_t s = 0; s < columns; ++s)
                ASSERT_NEAR(y.at(i, c, r, s), average(x, i, c, r, s, rows, columns), tolerance);
      }
}

}  // namespace
}  // namespace tyto::kernels
