// Where networks run: a device with its libraries, threads and memory limit. Serves one thread at a time.
//
// The calling thread's current CUDA device is left as it was, unless the process had not opened that GPU: then the last
// one that the context used stays current, because going back would open the other.
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
enum class Precision;

struct ContextOptions {
  // auto (the first GPU that tyto can use, else the CPU), cpu, cuda (= cuda:0), cuda:N, or several GPUs,
  // cuda:0,1, which take batches in turn. Error{Device} for one that is not there, never a silent other one.
  std::string device = "auto";
  int threads = 0;  // compute threads of the CPU; 0: one per physical core
  int64_t memory_limit =
      0;  // bytes of packed weights, activations, outputs and workspaces together, on each device; 0: none
  // Of GPUs alone. autotune: each convolution's best plans are timed and the fastest is taken, which `tuning_cache` (a
  // file; empty: none) keeps for the next time.
  bool autotune = false;
  std::string tuning_cache;
  bool synchronous = false;  // waits after every layer, so that a CUDA error names the one that failed; slow
  std::function<void(const std::string&)> notice;  // what the engine wants said; it never prints
};

// What a device reaches at best, measured on it: what the speed of a layer is held against. A layer may pass both where its
// algorithm saves operations (Winograd), or a cache holds what it reads.
struct Peaks {
  double flops = 0;      // floating-point operations a second, in a large matrix product
  double bandwidth = 0;  // bytes a second, read and written together, of arrays that no cache holds
};

class Context {
 public:
  explicit Context(ContextOptions options = {});
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const ContextOptions& options() const { return options_; }

  // What is used, as (name, value): device, instruction set, threads, library versions.
  std::vector<std::pair<std::string, std::string>> describe() const;
  // "cpu" or "cuda": results of the two differ in their last bits.
  std::string device_kind() const;

  // Of the first device, with the context's threads: takes a second and up to 600 MiB. Error{Unsupported} where the device
  // lacks the precision, Error{Memory}.
  Peaks measure_peaks(Precision precision);

 private:
  friend Backend& backend_of(Context& context);

  ContextOptions options_;
  std::unique_ptr<Backend> backend_;
};

// This machine's GPUs and their driver, used or not, as (name, value); says what is missing where there are none.
std::vector<std::pair<std::string, std::string>> describe_gpus();

}  // namespace tyto
