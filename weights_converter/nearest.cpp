#include "weights_converter/nearest.h"

#include <algorithm>
#include <numeric>

namespace tyto {
namespace {

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_name(const std::string& wanted, const std::vector<std::string>& names) {
  std::string nearest;
  size_t best = wanted.size() / 2 + 1;
  for (const std::string& name : names) {
    const size_t length_gap = std::max(name.size(), wanted.size()) - std::min(name.size(), wanted.size());
    if (length_gap >= best) continue;
    if (const size_t d = edit_distance(wanted, name); d < best) {
      best = d;
      nearest = name;
    }
  }
  return nearest;
}

}  // namespace tyto
