// tyto_bench: every kernel's time beside the bound that applies to it, on the CPU and on a GPU.
//
// The bound is the larger of two times: the bytes that the contract has moved at least over the bandwidth of
// a copy, and the operations that the definition needs over the rate of a large product, both measured on the
// device as the program starts. A kernel may pass it where a cache holds what it reads: sizes are those of
// networks, and on the CPU arrays are as warm as the layer before leaves them.
//
// Beside Google Benchmark's options:
//   --threads=N            of the CPU; one a physical core unless given
//   --cpu_peaks=B,F        bytes and operations a second, measured before: saves a second
//   --save=FOLDER          runs the CPU's cases once and writes their arrays, FOLDER/<name, / as
//   _>.safetensors
#include <benchmark/benchmark.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <regex>

#include "bench/kernels/device.h"

namespace tyto::bench {
namespace {

struct Options {
  int threads = 0;
  std::string cpu_peaks, save;
  bool lists = false;
};

[[noreturn]] void fail(const std::string& sentence) {
  std::fprintf(stderr, "tyto_bench: %s\n", sentence.c_str());
  std::exit(2);
}

// The value of --NAME=VALUE.
std::optional<std::string> value_of(const std::string& argument, const std::string& name) {
  const std::string begin = "--" + name + "=";
  if (!argument.starts_with(begin)) return std::nullopt;
  return argument.substr(begin.size());
}

// Takes out of the arguments what is this program's.
Options take_options(int& argc, char** argv) {
  Options options;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (const auto threads = value_of(argument, "threads")) {
      options.threads = std::atoi(threads->c_str());
      if (options.threads < 1) fail("--threads=" + *threads + ": it takes one thread at least");
    } else if (const auto peaks = value_of(argument, "cpu_peaks")) {
      options.cpu_peaks = *peaks;
    } else if (const auto folder = value_of(argument, "save")) {
      options.save = *folder;
    } else {
      options.lists |= argument == "--benchmark_list_tests" || argument == "--benchmark_list_tests=true";
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return options;
}

struct Measured {
  std::unique_ptr<Device> device;
  Peaks peaks;
};

void announce(const Measured& on) {
  const std::string name = on.device->name();
  const auto context = [&](const std::string& what, double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    benchmark::AddCustomContext(name + " " + what, text);
  };
  context("bytes/s of a copy", on.peaks.bandwidth);
  context("operations/s of a product", on.peaks.flops);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// What is being measured. Google Benchmark calls a benchmark several times, with more and more iterations.
class Prepared {
 public:
  Prepared(const KernelCase& c, const Measured& on)
      : case_(c),
        on_(on),
        arrays_(on.device->new_arrays()),
        work_(c.prepare(*arrays_)),
        run_(on.device->timed(work_)) {}

  bool is(const KernelCase& c, const Measured& on) const { return &case_ == &c && &on_ == &on; }
  const Work& work() const { return work_; }
  double run() const { return run_(); }

 private:
  const KernelCase& case_;
  const Measured& on_;
  std::unique_ptr<Arrays> arrays_;
  Work work_;
  std::function<double()> run_;
};

void measure(benchmark::State& state, const KernelCase& c, const Measured& on,
             std::unique_ptr<Prepared>& prepared) {
  if (!prepared || !prepared->is(c, on)) {
    prepared.reset();  // gives its memory back first
    prepared = std::make_unique<Prepared>(c, on);
  }
  const Work& work = prepared->work();
  std::vector<double> seconds;
  for (auto _ : state) {
    seconds.push_back(prepared->run());
    state.SetIterationTime(seconds.back());
  }
  const double moving = work.bytes / on.peaks.bandwidth, computing = work.operations / on.peaks.flops;
  const double time = median(seconds);
  state.counters["median_us"] = time * 1e6;
  state.counters["bytes"] = work.bytes;
  state.counters["operations"] = work.operations;
  state.counters["GB/s"] = work.bytes / time / 1e9;
  state.counters["Gop/s"] = work.operations / time / 1e9;
  state.counters["copy_GB/s"] = on.peaks.bandwidth / 1e9;
  state.counters["peak_Gop/s"] = on.peaks.flops / 1e9;
  state.counters["of_bound"] = std::max(moving, computing) / time;
  state.SetLabel(moving >= computing ? "bytes bind" : "operations bind");
}

void save(const Cases& cases, const std::string& filter, Device& cpu, const std::filesystem::path& folder) {
  const std::regex wanted(filter);
  for (const KernelCase& c : cases) {
    if (!std::regex_search(c.name + "/cpu", wanted)) continue;
    const auto arrays = cpu.new_arrays();
    c.prepare(*arrays).cpu();
    std::string name = c.name;
    std::replace(name.begin(), name.end(), '/', '_');
    arrays->save(folder / (name + ".safetensors"));
  }
}

Peaks peaks_from(const std::string& text) {
  Peaks peaks;
  if (std::sscanf(text.c_str(), "%lf,%lf", &peaks.bandwidth, &peaks.flops) != 2)
    fail("--cpu_peaks=" + text + ": it takes bytes and operations a second, 1e10,1e11");
  return peaks;
}

std::unique_ptr<Device> cuda_if_there() {
#ifdef TYTO_HAS_CUDA
  try {
    return make_cuda();
  } catch (const Error& error) {
    std::cerr << "CUDA's cases are left out: " << error.what() << '\n';
  }
#else
  std::cerr << "CUDA's cases are left out: this build has none\n";
#endif
  return nullptr;
}

int run(int argc, char** argv) {
  const Options options = take_options(argc, argv);
  std::vector<char*> arguments(argv, argv + argc);
  // Before the user's, who has the last word.
  char tabular[] = "--benchmark_counters_tabular=true", min_time[] = "--benchmark_min_time=0.2";
  arguments.insert(arguments.begin() + 1, {tabular, min_time});
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

  const Cases cases = all_cases();
  std::vector<Measured> devices;
  devices.push_back({make_cpu(options.threads), {}});
  if (!options.save.empty()) {
    save(cases, benchmark::GetBenchmarkFilter(), *devices.front().device, options.save);
    return 0;
  }
  if (auto cuda = cuda_if_there()) devices.push_back({std::move(cuda), {}});
  for (Measured& on : devices) {
    if (!options.lists)
      on.peaks = on.device->name() == "cpu" && !options.cpu_peaks.empty() ? peaks_from(options.cpu_peaks)
                                                                          : on.device->measure_peaks();
    announce(on);
  }
  std::unique_ptr<Prepared> prepared;
  for (const KernelCase& c : cases)
    for (const Measured& on : devices) {
      const std::string device = on.device->name();
      if (c.on == RunsOn::CpuAlone && device != "cpu") continue;
      benchmark::RegisterBenchmark((c.name + "/" + device).c_str(),
                                   [&](benchmark::State& state) { measure(state, c, on, prepared); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace tyto::bench

int main(int argc, char** argv) {
  try {
    return tyto::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tyto_bench: %s\n", error.what());
    return 1;
  }
}
