// An object of JSON that a stranger may have written: typed values by key, or a sentence that says what is
// wrong.
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "files/named.h"
#include "tyto/error.h"

namespace tyto {

// A type of value that get() takes: whether `json` is one, and what to call it. Lists and objects hold one
// type.
template <class T>
struct JsonType {
  static_assert(std::is_arithmetic_v<T>);
  static constexpr const char* kind = std::is_same_v<T, bool> ? "true or false"
                                      : std::is_integral_v<T> ? "a whole number in range"
                                                              : "a number";
  static bool holds(const auto& json) {
    if constexpr (std::is_same_v<T, bool>)
      return json.is_boolean();
    else if constexpr (std::is_floating_point_v<T>)
      return json.is_number();
    else if (json.is_number_unsigned())
      return std::in_range<T>(json.template get<uint64_t>());
    else
      return json.is_number_integer() && std::in_range<T>(json.template get<int64_t>());
  }
};
template <>
struct JsonType<std::string> {
  static constexpr const char* kind = "a text";
  static bool holds(const auto& json) { return json.is_string(); }
};
template <class T>
struct JsonType<std::vector<T>> {
  static constexpr const char* kind = "a list of values of one type";
  static bool holds(const auto& json) {
    return json.is_array() && std::ranges::all_of(json, [](const auto& j) { return JsonType<T>::holds(j); });
  }
};
template <class T, size_t N>
struct JsonType<std::array<T, N>> {
  static inline const std::string kind = "a list of " + std::to_string(N) + " numbers";
  static bool holds(const auto& json) { return json.size() == N && JsonType<std::vector<T>>::holds(json); }
};
template <class T>
struct JsonType<std::map<std::string, T>> {
  static constexpr const char* kind = "an object of values of one type";
  static bool holds(const auto& json) {
    return json.is_object() && std::ranges::all_of(json, [](const auto& j) { return JsonType<T>::holds(j); });
  }
};

// Every error is an Error{Format} that begins with `where` ("FILE: its metadata") and names the key.
template <class Json>
class BasicJsonObject {
 public:
  // Refuses what is no object. The value must outlive this.
  BasicJsonObject(const Json& value, std::string where) : value_(value), where_(std::move(where)) {
    if (!value.is_object()) fail("is not a JSON object");
  }

  const Json& value() const { return value_; }
  bool has(const std::string& key) const { return value_.contains(key); }

  const Json& at(const std::string& key) const {
    const auto found = value_.find(key);
    if (found == value_.end()) fail("has no \"" + key + '"');
    asked_.push_back(&*found);
    return *found;
  }

  // T: a number, bool, std::string, or a std::vector, std::array or std::map (by std::string) of them.
  template <class T>
  T get(const std::string& key) const {
    const Json& json = at(key);
    if (!JsonType<T>::holds(json)) refuse(key, JsonType<T>::kind);
    return json.template get<T>();
  }

  // A whole number from `low` to `high`.
  template <class T>
  T get(const std::string& key, std::type_identity_t<T> low, std::type_identity_t<T> high) const {
    const Json& json = at(key);
    if (JsonType<T>::holds(json))
      if (const T number = json.template get<T>(); number >= low && number <= high) return number;
    refuse(key, "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  }

  // The value whose name stands there.
  template <class T, size_t N>
  T get(const std::string& key, const Named<T> (&table)[N]) const {
    const auto name = get<std::string>(key);
    const auto* row = std::ranges::find(table, name, &Named<T>::name);
    if (row == std::end(table)) fail("has the \"" + key + "\" '" + name + "'; use " + any_of_names(table));
    return row->value;
  }

  const Json& list(const std::string& key) const {
    const Json& json = at(key);
    if (!json.is_array()) refuse(key, "a list");
    return json;
  }

  BasicJsonObject object(const std::string& key) const { return {at(key), where_ + ": \"" + key + '"'}; }

  // Refuses a key that nobody asked for.
  void finish() const {
    for (const auto& item : value_.items())
      if (std::ranges::find(asked_, &item.value()) == asked_.end())
        fail("has a \"" + item.key() + "\", which is not a key of it");
  }

  [[noreturn]] void refuse(const std::string& key, const std::string& wanted) const {
    fail("has a \"" + key + "\" that is not " + wanted);
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::Format, where_ + ' ' + what);
  }

 private:
  const Json& value_;
  std::string where_;
  mutable std::vector<const Json*> asked_;
};

using JsonObject = BasicJsonObject<nlohmann::ordered_json>;

}  // namespace tyto
