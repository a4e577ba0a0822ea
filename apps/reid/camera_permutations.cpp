#include "apps/reid/camera_permutations.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/reid/mat_file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

[[noreturn]] void bad(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorKind::Format, fmt::format("{}: {}", file.string(), what));
}

bool empty(const MatArray& array) { return array.rows == 0 || array.columns == 0; }

// A row 1 to n in some order, from 0 on.
std::vector<int64_t> order_of(const MatArray& matrix, int64_t row, const std::filesystem::path& file,
                              const std::string& where) {
  std::vector<int64_t> order;
  std::vector<bool> seen(static_cast<size_t>(matrix.columns));
  for (int64_t i = 0; i < matrix.columns; ++i) {
    const double number = matrix.numbers[static_cast<size_t>(i * matrix.rows + row)];
    const int64_t image = number >= 1 && number <= static_cast<double>(matrix.columns)
                              ? static_cast<int64_t>(number) - 1
                              : matrix.columns;
    if (image == matrix.columns || static_cast<double>(image + 1) != number ||
        seen[static_cast<size_t>(image)])
      bad(file, fmt::format("row {} of {} is not the numbers 1 to {} in some order", row + 1, where,
                            matrix.columns));
    seen[static_cast<size_t>(image)] = true;
    order.push_back(image);
  }
  return order;
}

const std::vector<MatArray>& cells_of(const MatArray& array, const std::filesystem::path& file,
                                      const std::string& where) {
  if (!array.of_cells || std::min(array.rows, array.columns) > 1)
    bad(file, where + " is no row or column of cells");
  return array.cells;
}

}  // namespace

Permutations read_camera_permutations(const std::filesystem::path& path) {
  Permutations all;
  all.origin = path.string();
  const MatArray root = read_mat_array(path, "rand_perm_cam");
  const auto& cameras = cells_of(root, path, "rand_perm_cam");
  for (size_t c = 0; c < cameras.size(); ++c) {
    if (empty(cameras[c])) continue;
    const auto& identities = cells_of(cameras[c], path, fmt::format("the cell of camera {}", c + 1));
    for (size_t i = 0; i < identities.size(); ++i) {
      const MatArray& matrix = identities[i];
      if (empty(matrix)) continue;
      const std::string where = fmt::format("the cell of camera {}, identity {}", c + 1, i + 1);
      if (matrix.of_cells) bad(path, where + " holds no numbers");
      if (all.trials != 0 && matrix.rows != all.trials)
        bad(path, fmt::format("{} has {} trials, others {}", where, matrix.rows, all.trials));
      all.trials = matrix.rows;
      auto& orders = all.of[{static_cast<int64_t>(c) + 1, static_cast<int64_t>(i) + 1}];
      for (int64_t row = 0; row < matrix.rows; ++row) orders.push_back(order_of(matrix, row, path, where));
    }
  }
  if (all.of.empty()) bad(path, "its permutations are empty");
  return all;
}

}  // namespace tyto::apps
