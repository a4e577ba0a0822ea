#include "emulation/runtime/device.h"

#include <cstdio>
#include <cstdlib>
#include <set>
#include <utility>
#include <vector>

#include "emulation/library_call.h"
#include "emulation/runtime/operations.h"
#include "emulation/runtime/stream.h"

namespace emulation {
namespace runtime {
namespace {

struct OrderedFailure {
  cudaError_t error = cudaSuccess;
  std::string call;
  int skipped = 0;
};

struct Machine {
  std::recursive_mutex mutex;
  int devices = 1;
  int64_t memory = int64_t{16} << 30;
  std::set<int> opened;
  std::vector<std::string> faults;
  std::vector<cudaError_t> sticky;  // of each device; shorter where none had any
  OrderedFailure failure;
  RuntimeCounts counts;

  // A program that looks at no error must not pass.
  ~Machine() {
    if (faults.empty()) return;
    for (const std::string& sentence : faults)
      std::fprintf(stderr, "emulated device, not asked for: %s\n", sentence.c_str());
    std::fflush(nullptr);
    std::_Exit(1);
  }
};

Machine& state() {
  static Machine machine;
  return machine;
}

thread_local int current = 0;

}  // namespace

std::recursive_mutex& machine() { return state().mutex; }

int device_count() { return state().devices; }
int64_t device_memory() { return state().memory; }
int current_device() { return current; }
void select_device(int device) { current = device; }
void open_device(int device) { state().opened.insert(device); }
bool is_open(int device) { return state().opened.contains(device); }

void fault(int device, const std::string& sentence) {
  state().faults.push_back(sentence);
  if (state().sticky.size() <= static_cast<size_t>(device)) state().sticky.resize(device + 1, cudaSuccess);
  state().sticky[device] = cudaErrorLaunchFailure;
}

cudaError_t sticky_error(int device) {
  return static_cast<size_t>(device) < state().sticky.size() ? state().sticky[device] : cudaSuccess;
}

cudaError_t ordered_failure(const std::string& call) {
  OrderedFailure& failure = state().failure;
  if (failure.error == cudaSuccess || (!failure.call.empty() && failure.call != call)) return cudaSuccess;
  if (failure.skipped-- > 0) return cudaSuccess;
  return std::exchange(failure, {}).error;
}

RuntimeCounts& counts() { return state().counts; }

}  // namespace runtime

using namespace runtime;

std::vector<std::string> take_faults() {
  const std::lock_guard lock(machine());
  for (size_t device = 0; device < state().sticky.size(); ++device)
    if (state().sticky[device] != cudaSuccess) forget_work(static_cast<int>(device));
  state().sticky.clear();
  return std::exchange(state().faults, {});
}

void set_device_count(int count) {
  const std::lock_guard lock(machine());
  state().devices = count;
}

void set_device_memory(int64_t bytes) {
  const std::lock_guard lock(machine());
  state().memory = bytes;
}

void fail_next(cudaError_t error, const std::string& call, int skipped) {
  const std::lock_guard lock(machine());
  state().failure = {error, call, skipped};
}

bool cancel_failure() {
  const std::lock_guard lock(machine());
  return std::exchange(state().failure, {}).error != cudaSuccess;
}

RuntimeCounts runtime_counts() {
  const std::lock_guard lock(machine());
  return state().counts;
}

LiveObjects live_objects() {
  const std::lock_guard lock(machine());
  return {streams().size(), events().size(), graphs().size(), executables().size()};
}

std::vector<int> take_opened_devices() {
  const std::lock_guard lock(machine());
  const std::set<int> opened = std::exchange(state().opened, {});
  return {opened.begin(), opened.end()};
}

void report_fault(const std::string& sentence) {
  const std::lock_guard lock(machine());
  fault(current_device(), sentence);
}

}  // namespace emulation
