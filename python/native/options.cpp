#include "python/native/options.h"

#include <fmt/format.h>

#include "files/json.h"
#include "tyto/error.h"

namespace tyto::python {
namespace {

constexpr int kMaxNesting = 8;
constexpr size_t kMostShown = 100;                         // bytes of a value in a sentence
constexpr int kMostThreads = 4096, kLargestBatch = 65536;  // as of the command

}  // namespace

CallOptions::CallOptions(const char* json) : values_(parse_json(json, kMaxNesting, "options")) {
  if (!values_.is_object()) throw Error(ErrorKind::Usage, "options are no JSON object");
}

const nlohmann::ordered_json* CallOptions::find(const char* name) const {
  const auto it = values_.find(name);
  return it == values_.end() ? nullptr : &*it;
}

void CallOptions::refuse(const char* name, const char* what) const {
  std::string value = dump_json(*find(name));
  if (value.size() > kMostShown) {
    size_t end = kMostShown;
    while ((static_cast<unsigned char>(value[end]) & 0xc0) == 0x80) --end;  // not within a character
    value = value.substr(0, end) + "...";
  }
  throw Error(ErrorKind::Usage, fmt::format("{} cannot be {}; it is {}", name, value, what));
}

bool CallOptions::flag(const char* name, bool usual) const { return flag(name).value_or(usual); }

std::optional<bool> CallOptions::flag(const char* name) const {
  const auto* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse(name, "True or False");
  return value->get<bool>();
}

int64_t CallOptions::integer(const char* name, int64_t usual, int64_t low, int64_t high) const {
  const auto* value = find(name);
  if (!value) return usual;
  const bool fits = value->is_number_integer() &&
                    (!value->is_number_unsigned() || value->get<uint64_t>() <= uint64_t{INT64_MAX}) &&
                    value->get<int64_t>() >= low && value->get<int64_t>() <= high;
  if (!fits) refuse(name, fmt::format("a whole number from {} to {}", low, high).c_str());
  return value->get<int64_t>();
}

std::optional<std::string> CallOptions::text(const char* name) const {
  const auto* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse(name, "a text");
  return value->get<std::string>();
}

std::vector<std::string> CallOptions::texts(const char* name) const {
  const auto* value = find(name);
  if (!value) return {};
  if (!value->is_array()) refuse(name, "a list of texts");
  std::vector<std::string> found;
  for (const auto& entry : *value) {
    if (!entry.is_string()) refuse(name, "a list of texts");
    found.push_back(entry.get<std::string>());
  }
  return found;
}

std::vector<double> CallOptions::numbers(const char* name, std::vector<double> usual) const {
  const auto* value = find(name);
  if (!value) return usual;
  if (!value->is_array()) refuse(name, "a list of numbers");
  std::vector<double> found;
  for (const auto& entry : *value) {
    if (!entry.is_number()) refuse(name, "a list of numbers");
    found.push_back(entry.get<double>());
  }
  return found;
}

std::map<std::string, std::string> CallOptions::pairs(const char* name) const {
  const auto* value = find(name);
  if (!value) return {};
  if (!value->is_object()) refuse(name, "a mapping");
  std::map<std::string, std::string> found;
  for (const auto& [key, entry] : value->items()) {
    if (!entry.is_string()) refuse(name, "a mapping to texts");
    found.emplace(key, entry.get<std::string>());
  }
  return found;
}

ContextOptions context_options(const CallOptions& options, std::vector<std::string>& notices) {
  ContextOptions context;
  context.device = options.text("device").value_or(context.device);
  context.threads = static_cast<int>(options.integer("threads", 0, 0, kMostThreads));
  context.memory_limit = options.integer("memory_limit", 0, 0, INT64_MAX);
  context.notice = [&notices](const std::string& sentence) { notices.push_back(sentence); };
  return context;
}

Precision precision_of(const CallOptions& options) {
  return precision_from(options.text("precision").value_or("fp32"));
}

int batch_of(const CallOptions& options, int usual) {
  return static_cast<int>(options.integer("batch", usual, 1, kLargestBatch));
}

nlohmann::ordered_json describe(const Context& context, const std::vector<std::string>& notices) {
  return {{"device", context.device_kind()}, {"notices", notices}};
}

}  // namespace tyto::python
