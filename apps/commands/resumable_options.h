// The options of a command that has --resume, and what a run must share with the one that it goes on with.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tyto/context.h"
#include "tyto/model.h"

namespace tyto::apps {

// Every option is declared as one of two kinds, so that --resume cannot forget one. The values must outlive
// this; those of type bool are flags.
class ResumableOptions {
 public:
  explicit ResumableOptions(CLI::App& command) : command_(command) {}

  // One that decides what the journal holds.
  template <class T>
  CLI::Option* deciding(const std::string& names, T& value, const std::string& help) {
    CLI::Option* option = free(names, value, help);
    deciding_.emplace_back(option->get_single_name(), [&value] { return as_json(value); });
    return option;
  }

  // One with which a run that was stopped may go on whatever it was before.
  template <class T>
  CLI::Option* free(const std::string& names, T& value, const std::string& help) {
    if constexpr (std::is_same_v<T, bool>)
      return command_.add_flag(names, value, help);
    else
      return command_.add_option(names, value, help);
  }

  // The deciding options as they are now, the model and the kind of device: a JSON object.
  std::string identity(const Model& model, const Context& context) const;
  std::string identity() const;  // without a model

 private:
  template <class T>
  static nlohmann::ordered_json as_json(const T& value) {
    return value;
  }
  template <class T>
  static nlohmann::ordered_json as_json(const std::optional<T>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  }

  CLI::App& command_;
  std::vector<std::pair<std::string, std::function<nlohmann::ordered_json()>>> deciding_;
};

}  // namespace tyto::apps
