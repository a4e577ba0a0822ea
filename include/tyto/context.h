// Where networks run: a device with its libraries, threads and memory limit. Serves one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tyto/error.h"

namespace tyto {

class Backend;

struct ContextOptions {
  std::string device =
      "auto";                // auto, cpu; Error{Device} for one that is not there, never a silent other one
  int threads = 0;           // compute threads; 0: one per physical core
  int64_t memory_limit = 0;  // bytes of packed weights, activations, outputs and workspaces together; 0: none
  std::function<void(const std::string&)> notice;  // what the engine wants said; it never prints
};

class Context {
 public:
  explicit Context(ContextOptions options = {});
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const ContextOptions& options() const { return options_; }
  Backend& backend() { return *backend_; }

  // What is used, as (name, value): device, instruction set, threads, library versions.
  std::vector<std::pair<std::string, std::string>> describe() const;

 private:
  ContextOptions options_;
  std::unique_ptr<Backend> backend_;
};

}  // namespace tyto
