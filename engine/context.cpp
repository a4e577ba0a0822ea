#include "tyto/context.h"

#include <fmt/format.h>

#include "engine/backend.h"

namespace tyto {
namespace {

std::unique_ptr<Backend> make_backend(const ContextOptions& options) {
  if (options.device == "auto" || options.device == "cpu")
    return make_cpu_backend(options.threads, options.memory_limit);
  if (options.device.starts_with("cuda"))
    throw Error(ErrorKind::Device, "this build has no CUDA backend; use --device cpu");
  throw Error(ErrorKind::Usage, fmt::format("there is no device '{}'; use auto or cpu", options.device));
}

}  // namespace

Context::Context(ContextOptions options) : options_(std::move(options)), backend_(make_backend(options_)) {
  if (options_.device == "auto" && options_.notice) {
    std::string chosen;
    for (const auto& [name, value] : backend_->describe())
      if (name == "device" || name == "instruction set" || name == "threads")
        chosen += (chosen.empty() ? "" : ", ") + (name == "threads" ? value + " threads" : value);
    options_.notice("running on " + chosen);
  }
}

Context::~Context() = default;

std::vector<std::pair<std::string, std::string>> Context::describe() const { return backend_->describe(); }

}  // namespace tyto
