// Tables of things that have a name.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "tyto/error.h"

namespace tyto {

// A row of a table of an enumeration's values. The functions below also take tables of other rows with a
// member `name`.
template <class T>
struct Named {
  std::string_view name;
  T value;
};

template <class T, size_t N>
constexpr std::string_view name_in(const Named<T> (&table)[N], T value) {
  const auto* row = std::ranges::find(table, value, &Named<T>::value);
  return row == std::end(table) ? "?" : row->name;
}

template <class Table>
std::vector<std::string> names_in(const Table& table) {
  std::vector<std::string> names;
  for (const auto& row : table) names.emplace_back(row.name);
  return names;
}

// "a, b or c"
template <class Table>
std::string any_of_names(const Table& table) {
  std::string all;
  size_t left = std::size(table);
  for (const auto& row : table) {
    all += row.name;
    if (--left > 0) all += left == 1 ? " or " : ", ";
  }
  return all;
}

// The row of that name. Error{Usage} "there is no WHAT 'd'; use a, b or c".
template <class Table>
const auto& row_named(const std::string& name, const Table& table, const char* what) {
  for (const auto& row : table)
    if (row.name == name) return row;
  throw Error(ErrorKind::Usage,
              "there is no " + std::string(what) + " '" + name + "'; use " + any_of_names(table));
}

}  // namespace tyto
