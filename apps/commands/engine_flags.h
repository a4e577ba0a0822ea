// The options that every command that runs a network has.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

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

// --decoders: so many threads, or for 0 half the cores.
int decoder_threads(int wanted);

// "512M", "2G", "1.5GiB", plain bytes. Error{Usage}.
int64_t parse_bytes(const std::string& text);

}  // namespace tyto::apps
