// Where networks run: a device with its libraries, threads and memory limit. A context serves one thread at a
// time.
//
// tyto restores the calling thread's current CUDA device, with one exception: if the process had not opened
// that GPU before, the last GPU that the context used stays current, because going back would open the other
// one.
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
  // cuda:0,1, which take batches in turn. A device that is not there is an Error{Device}; tyto never falls
  // back silently.
  std::string device = "auto";
  // Compute threads of the CPU; 0: one per physical core. They are OpenMP's (libgomp's), which spin for
  // milliseconds wherever one waits for another, and beside other work lose far more than their share of the
  // CPU. Where the machine is shared, start the program with GOMP_SPINCOUNT=1000 in its environment: libgomp
  // reads it as it is loaded, before main, so that the library cannot set it.
  int threads = 0;
  // The most bytes that packed weights, activations, outputs and workspaces may take together on each device;
  // 0: no limit.
  int64_t memory_limit = 0;
  // GPUs only: time the best plans of each convolution and take the fastest. `tuning_cache` is a file that
  // keeps the choices for the next time; empty: nothing is kept.
  bool autotune = false;
  std::string tuning_cache;
  // Wait after every layer, so that a CUDA error names the layer that failed. Slow.
  bool synchronous = false;
  // Receives what the engine has to say. The engine itself never prints.
  std::function<void(const std::string&)> notice;
};

// What a device reaches at best, measured on it: what the speed of a layer is held against. A layer may pass
// both where its algorithm saves operations (Winograd), or a cache holds what it reads.
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

  // What the context uses, as (name, value): device, instruction set, threads, library versions.
  std::vector<std::pair<std::string, std::string>> describe() const;
  // "cpu" or "cuda". The results of the two differ in their last bits.
  std::string device_kind() const;

  // Of the first device, with the context's threads: takes a second and up to 600 MiB. Error{Unsupported}
  // where the device lacks the precision, Error{Memory}.
  Peaks measure_peaks(Precision precision);

 private:
  friend Backend& backend_of(Context& context);

  ContextOptions options_;
  std::unique_ptr<Backend> backend_;
};

// This machine's GPUs and their driver, used or not, as (name, value). If there are none, it says what is
// missing.
std::vector<std::pair<std::string, std::string>> describe_gpus();

}  // namespace tyto
