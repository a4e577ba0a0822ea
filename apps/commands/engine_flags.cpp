#include "apps/commands/engine_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "apps/console.h"

namespace tyto::apps {

void add_engine_flags(CLI::App& command, EngineFlags& flags) {
  command.add_option("--device", flags.device, "auto, cpu")->capture_default_str();
  command.add_option("--precision", flags.precision, "fp32, bf16 (AVX512_BF16 or AMX)")
      ->capture_default_str();
  command.add_option("--threads", flags.threads, "compute threads; 0: one per core")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command.add_option("--memory-limit", flags.memory_limit, "for weights and activations, e.g. 2G");
}

ContextOptions context_options(const EngineFlags& flags) {
  ContextOptions options;
  options.device = flags.device;
  options.threads = flags.threads;
  options.memory_limit = flags.memory_limit.empty() ? 0 : parse_bytes(flags.memory_limit);
  options.notice = [](const std::string& sentence) { notice(sentence); };
  return options;
}

int decoder_threads(int wanted) {
  return wanted > 0 ? wanted : std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2);
}

int64_t parse_bytes(const std::string& text) {
  double value = 0;
  size_t end = 0;
  try {
    value = std::stod(text, &end);
  } catch (const std::exception&) {
    end = 0;
  }
  const std::string unit = text.substr(end);
  double factor = 0;
  if (unit.empty() || unit == "B") factor = 1;
  for (const auto& [letter, shift] : {std::pair{'K', 10}, {'M', 20}, {'G', 30}, {'T', 40}})
    if (unit == std::string(1, letter) || unit == fmt::format("{}B", letter) ||
        unit == fmt::format("{}iB", letter))
      factor = std::ldexp(1.0, shift);
  const double bytes = value * factor;
  if (end == 0 || !(bytes >= 1 && bytes < 9e18))
    throw Error(ErrorKind::Usage,
                fmt::format("'{}' is no amount of memory; write for example 512M or 2G", text));
  return static_cast<int64_t>(bytes);
}

}  // namespace tyto::apps
