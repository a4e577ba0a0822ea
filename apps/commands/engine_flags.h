// The options that commands which run a network have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "apps/commands/resumable_options.h"
#include "apps/images/run_batches.h"
#include "tyto/context.h"
#include "tyto/plan.h"

namespace tyto::apps {

struct EngineFlags {
  std::string device = "auto", precision = "fp32", memory_limit;
  int threads = 0;
  bool autotune = false, synchronous = false;
};

void add_engine_flags(CLI::App& command, EngineFlags& flags);
ContextOptions context_options(const EngineFlags& flags);  // notices go to standard error

// Of those that run many images through it.
struct RunFlags {
  int batch = 8, decoders = 0;
  bool exif = false, resume = false, json = false;
  EngineFlags engine;
};

std::string batch_help(const std::string& what);  // of --batch
void add_run_flags(ResumableOptions& options, RunFlags& flags);
BatchOptions batch_options(const RunFlags& flags);

// "512M", "2G", "1.5GiB", plain bytes. Error{Usage}.
int64_t parse_bytes(const std::string& text);

}  // namespace tyto::apps
