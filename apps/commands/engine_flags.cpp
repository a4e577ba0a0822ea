#include "apps/commands/engine_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "apps/console.h"

namespace tyto::apps {

namespace {

// Where the XDG base directory specification has programs keep what they can find out again; empty where
// there is no home.
std::string tuning_cache_file() {
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  if (cache && *cache) return std::string(cache) + "/tyto/cudnn_plans.json";
  return home && *home ? std::string(home) + "/.cache/tyto/cudnn_plans.json" : "";
}

void add(ResumableOptions& options, EngineFlags& flags) {
  options.free("--device", flags.device, "auto, cpu, cuda:N, cuda:0,1 for several GPUs")
      ->capture_default_str();
  options
      .deciding("--precision", flags.precision,
                "fp32; bf16 (GPU, or a CPU with AVX512_BF16 or AMX); tf32, fp16 (GPU)")
      ->capture_default_str();
  options.free("--threads", flags.threads, "compute threads; 0: one per core")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  options.free("--memory-limit", flags.memory_limit, "for weights and activations, e.g. 2G");
  options.deciding("--autotune", flags.autotune,
                   "GPU: time each convolution's best plans once and keep what was found for the next time");
  options.free("--synchronous", flags.synchronous, "GPU: wait after every layer, so that an error names it");
}

}  // namespace

void add_engine_flags(CLI::App& command, EngineFlags& flags) {
  ResumableOptions options(command);
  add(options, flags);
}

std::string batch_help(const std::string& what) {
  return fmt::format(
      "{}; where the model's rule makes inputs of many sizes, of images of one input size, and an image that "
      "finds too few of its size within {} MiB of images runs alone",
      what, kReorderWindow >> 20);
}

void add_run_flags(ResumableOptions& options, RunFlags& flags) {
  options.deciding("--batch", flags.batch, batch_help("images a run"))
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  options.free("--decoders", flags.decoders, "threads that decode images; 0: half the cores")
      ->check(CLI::Range(0, 1024));
  options.deciding("--exif-orientation", flags.exif, "turn photographs as their EXIF data says");
  options.free("--resume", flags.resume, "go on with a run that was stopped");
  options.free("--json", flags.json, "print a JSON object");
  add(options, flags.engine);
}

BatchOptions batch_options(const RunFlags& flags) {
  return {.batch = flags.batch,
          .decoders = flags.decoders > 0 ? flags.decoders : usual_decoders(),
          .apply_exif_orientation = flags.exif};
}

ContextOptions context_options(const EngineFlags& flags) {
  ContextOptions options;
  options.device = flags.device;
  options.threads = flags.threads;
  options.memory_limit = flags.memory_limit.empty() ? 0 : parse_bytes(flags.memory_limit);
  options.autotune = flags.autotune;
  if (flags.autotune) options.tuning_cache = tuning_cache_file();
  options.synchronous = flags.synchronous;
  options.notice = [](const std::string& sentence) { notice(sentence); };
  return options;
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
