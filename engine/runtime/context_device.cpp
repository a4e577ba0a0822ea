// What a context tells of the device that it has.
#include "engine/runtime/backend.h"
#include "tyto/context.h"

namespace tyto {

std::vector<std::pair<std::string, std::string>> Context::describe() const { return backend_->describe(); }

Peaks Context::measure_peaks(Precision precision) { return backend_->measure_peaks(precision); }

std::string Context::device_kind() const {
  for (const auto& [name, value] : describe())
    if (name == "device") return value.substr(0, value.find(':'));
  return "?";
}

}  // namespace tyto
