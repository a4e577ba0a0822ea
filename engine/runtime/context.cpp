// A context chooses its device: what is apart from tyto_engine_core, because tests beside it choose among
// others.
#include "tyto/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "engine/runtime/backend.h"
#include "engine/runtime/round_robin.h"

namespace tyto {
namespace {

std::unique_ptr<Backend> make_cpu(const ContextOptions& options) {
  return make_cpu_backend(options.threads, options.memory_limit);
}

// The numbers of "cuda:0,1"; 0 for "cuda".
std::vector<int> device_numbers(const std::string& device) {
  const std::string list = device == "cuda" ? "0" : device.substr(std::string("cuda:").size());
  std::vector<int> numbers;
  const char *at = list.data(), *const end = at + list.size();
  for (bool more = true; more; ++at) {
    int number = 0;
    const auto [after, error] = std::from_chars(at, end, number);
    if (error != std::errc() || number < 0 || (after != end && *after != ',') ||
        std::find(numbers.begin(), numbers.end(), number) != numbers.end())
      throw Error(ErrorKind::Usage,
                  fmt::format("there is no device '{}'; use auto, cpu, cuda:N, or cuda:0,1 for several GPUs",
                              device));
    numbers.push_back(number);
    more = after != end;
    at = after;
  }
  return numbers;
}

#ifdef TYTO_HAS_CUDA
std::unique_ptr<Backend> make_cuda(const ContextOptions& options) {
  std::vector<std::unique_ptr<Backend>> gpus;
  for (int number : device_numbers(options.device)) gpus.push_back(make_cuda_backend(number, options));
  return make_round_robin_backend(std::move(gpus));
}

std::unique_ptr<Backend> make_best(const ContextOptions& options) {
  if (count_gpus() == 0) return make_cpu(options);
  try {
    return make_cuda_backend(0, options);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Device) throw;
    if (options.notice) options.notice(fmt::format("cuda:0 is not used: {}", error.what()));
    return make_cpu(options);
  }
}
#else
std::unique_ptr<Backend> make_cuda(const ContextOptions& options) {
  device_numbers(options.device);
  throw Error(ErrorKind::Device,
              "this build has no CUDA backend; use --device cpu, or build with the CUDA toolkit");
}

std::unique_ptr<Backend> make_best(const ContextOptions& options) { return make_cpu(options); }
#endif

std::unique_ptr<Backend> make_backend(const ContextOptions& options) {
  if (options.device == "auto") return make_best(options);
  if (options.device == "cpu") return make_cpu(options);
  if (options.device == "cuda" || options.device.starts_with("cuda:")) return make_cuda(options);
  throw Error(ErrorKind::Usage,
              fmt::format("there is no device '{}'; use auto, cpu, cuda:N, or cuda:0,1 for several GPUs",
                          options.device));
}

}  // namespace

Context::Context(ContextOptions options) : options_(std::move(options)), backend_(make_backend(options_)) {
  if (options_.device == "auto" && options_.notice) {
    std::string chosen;
    for (const auto& [name, value] : backend_->describe())
      if (name == "device" || name == "GPU" || name == "instruction set" || name == "threads")
        chosen += (chosen.empty() ? "" : ", ") + (name == "threads" ? value + " threads" : value);
    options_.notice("running on " + chosen);
  }
}

Context::~Context() = default;

std::vector<std::pair<std::string, std::string>> describe_gpus() {
#ifdef TYTO_HAS_CUDA
  return describe_cuda();
#else
  return {{"CUDA", "not built in"}};
#endif
}

}  // namespace tyto
