// CallOptions as Python hands them over: a JSON object.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tyto/context.h"
#include "tyto/plan.h"

namespace tyto::python {

// All throw Error{Usage} that names an option and its value.
class CallOptions {
 public:
  explicit CallOptions(const char* json);

  bool flag(const char* name, bool usual) const;
  std::optional<bool> flag(const char* name) const;
  int64_t integer(const char* name, int64_t usual, int64_t low, int64_t high) const;
  std::optional<std::string> text(const char* name) const;
  std::vector<std::string> texts(const char* name) const;
  std::vector<double> numbers(const char* name, std::vector<double> usual) const;
  std::map<std::string, std::string> pairs(const char* name) const;

 private:
  const nlohmann::ordered_json* find(const char* name) const;
  [[noreturn]] void refuse(const char* name, const char* what) const;

  nlohmann::ordered_json values_;
};

// device, threads, memory_limit: bytes. What the engine says goes to `notices`, which outlives the context.
ContextOptions context_options(const CallOptions& options, std::vector<std::string>& notices);
Precision precision_of(const CallOptions& options);
int batch_of(const CallOptions& options, int usual);

// What Python is told of a context: {"device", "notices"}.
nlohmann::ordered_json describe(const Context& context, const std::vector<std::string>& notices);

}  // namespace tyto::python
