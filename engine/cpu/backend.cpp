// The CPU backend: oneDNN beside our own kernels, one stream, one arena per plan.
#include "engine/runtime/backend.h"

#include <fmt/format.h>
#include <omp.h>

#include <chrono>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>

#include "engine/cpu/host_buffer.h"
#include "engine/cpu/instruction_set.h"
#include "engine/cpu/lowering.h"
#include "engine/cpu/peaks.h"
#include "engine/graph/prologue.h"
#include "engine/runtime/admission.h"
#include "engine/runtime/shared_arena.h"

namespace tyto {
namespace {

constexpr double kMiB = 1 << 20;

// Bytes of living plans beside arena and weights: outputs, and what prologues keep, given back as plans die.
using Tally = std::shared_ptr<int64_t>;
using Arena = SharedArena<cpu::HostBuffer>;

// The calling thread's OpenMP thread count while it works for us.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~ThreadCount() { omp_set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

class CpuExecutable : public Executable {
 public:
  CpuExecutable(cpu::Lowered lowered, const std::shared_ptr<Arena>& arena, dnnl::stream stream, int threads,
                Tally tally)
      : lowered_(std::move(lowered)),
        arena_(arena, lowered_.arena_bytes),
        kept_(lowered_.kept_bytes),
        stream_(std::move(stream)),
        threads_(threads),
        tally_(std::move(tally)) {
    inputs_.reserve(lowered_.inputs.size());
    for (cpu::Placed& p : lowered_.kept) p.at.set_data_handle(kept_.data() + p.offset);
    *tally_ += own_bytes();
  }
  ~CpuExecutable() override { *tally_ -= own_bytes(); }

  // The work is done when it is collected.
  void submit(std::span<const BoundInput> inputs) override {
    for (const BoundInput& input : inputs)
      if (!std::holds_alternative<const Tensor*>(input))
        throw Error(ErrorKind::Unsupported, "the CPU takes preprocessed images alone");
    inputs_.assign(inputs.begin(), inputs.end());
  }
  int in_flight() const override { return 1; }

  void collect(std::map<std::string, Tensor>& outputs) override {
    run_steps(outputs, [&](const cpu::Step& step) { step.run(stream_); });
  }

  std::vector<double> time_steps(std::span<const BoundInput> inputs,
                                 std::map<std::string, Tensor>& outputs) override {
    submit(inputs);
    forget_prologue();
    std::vector<double> milliseconds;
    milliseconds.reserve(lowered_.steps.size());
    run_steps(outputs, [&](const cpu::Step& step) {
      const auto start = std::chrono::steady_clock::now();
      step.run(stream_);
      stream_.wait();
      milliseconds.push_back(
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    });
    return milliseconds;
  }

  const PlanReport& report() const override { return lowered_.report; }
  int64_t prologue_samples() const override { return prologue_samples_; }
  void forget_prologue() override { lowered_.steady.forget(); }

 private:
  int64_t own_bytes() const { return lowered_.report.output_bytes + lowered_.kept_bytes; }

  template <class RunStep>
  void run_steps(std::map<std::string, Tensor>& outputs, const RunStep& run_step) {
    const ThreadCount threads(threads_);
    place();
    for (size_t i = 0; i < inputs_.size(); ++i)
      for (dnnl::memory& m : lowered_.inputs[i])
        m.set_data_handle(const_cast<std::byte*>(std::get<const Tensor*>(inputs_[i])->data()));
    for (auto& [name, m] : lowered_.outputs) m.set_data_handle(outputs.at(name).data());
    const int64_t changed = lowered_.steady.keep(inputs_);
    try {
      for (const cpu::Step& step : lowered_.steps)
        if (changed > 0 || !step.report.prologue) run_step(step);
      stream_.wait();
    } catch (const dnnl::error& e) {
      forget_prologue();
      throw Error(ErrorKind::Device, fmt::format("oneDNN failed: {}", e.message));
    } catch (...) {
      forget_prologue();
      throw;
    }
    prologue_samples_ += changed;
  }

  // Where the arena is now.
  void place() {
    if (arena_.data() == placed_at_) return;
    placed_at_ = arena_.data();
    for (cpu::Placed& p : lowered_.placed) p.at.set_data_handle(placed_at_ + p.offset);
  }

  cpu::Lowered lowered_;
  Arena::Share arena_;
  cpu::HostBuffer kept_;  // by the prologue
  int64_t prologue_samples_ = 0;
  std::byte* placed_at_ = nullptr;
  dnnl::stream stream_;
  int threads_;
  Tally tally_;
  std::vector<BoundInput> inputs_;  // tensors of the run that waits
};

class CpuBackend : public Backend {
 public:
  CpuBackend(int threads, int64_t memory_limit)
      : threads_(threads > 0 ? threads : cpu::physical_cores()),
        memory_limit_(memory_limit),
        engine_(dnnl::engine::kind::cpu, 0),
        stream_(engine_),
        packed_(engine_, stream_) {}

  std::unique_ptr<Executable> compile(const Graph& graph, Precision precision) override {
    check_precision(precision);
    const ThreadCount threads(threads_);  // primitives are made for the number of threads that runs them
    packed_.forget_unused();
    const Graph ordered = prologue_first(graph);
    const Admission admission(ordered, precision, output_bytes(graph, precision), machine(), room());
    cpu::Lowering lowering(ordered, precision, engine_, packed_, admission, memory_limit_);
    cpu::Lowered lowered = lowering.lower();
    admission.plan(arena_->bytes_with(lowered.arena_bytes) + lowered.report.output_bytes + lowered.kept_bytes,
                   room());
    return std::make_unique<CpuExecutable>(std::move(lowered), arena_, stream_, threads_, outputs_);
  }

  int in_flight() const override { return 1; }
  bool preprocesses() const override { return false; }

  Peaks measure_peaks(Precision precision) override {
    check_precision(precision);
    const ThreadCount threads(threads_);
    return {cpu::peak_flops(engine_, stream_, precision), cpu::peak_bandwidth()};
  }

  std::vector<std::pair<std::string, std::string>> describe() const override {
    const dnnl_version_t* v = dnnl_version();
    return {{"device", "cpu"},
            {"instruction set", cpu::instruction_set()},
            {"threads", std::to_string(threads_)},
            {"precisions", cpu::has_bf16() ? "fp32, bf16" : "fp32"},
            {"oneDNN", fmt::format("{}.{}.{}", v->major, v->minor, v->patch)}};
  }

 private:
  static void check_precision(Precision precision) {
    if (precision == Precision::Fp32) return;
    if (precision != Precision::Bf16)
      throw Error(ErrorKind::Unsupported,
                  fmt::format("--precision {} needs a CUDA device; the CPU computes in fp32 and bf16",
                              name_of(precision)));
    if (!cpu::has_bf16())
      throw Error(ErrorKind::Unsupported,
                  fmt::format("--precision bf16 needs AVX512_BF16 or AMX; this CPU has {}. Use fp32.",
                              cpu::instruction_set()));
  }

  static Room machine() {
    const int64_t memory = cpu::machine_memory();
    return {memory, fmt::format("this machine has {:.0f} MiB", static_cast<double>(memory) / kMiB)};
  }

  // What the machine or the limit leaves for the arena and the outputs of one more plan.
  Room room() const {
    const int64_t held = *outputs_ + packed_.bytes();
    Room room = machine();
    room.bytes -= held;
    if (held > 0)
      room.whose +=
          fmt::format(", {:.0f} of them taken by weights and other plans", static_cast<double>(held) / kMiB);
    return limited(room, memory_limit_, held);
  }

  int threads_;
  int64_t memory_limit_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  cpu::PackedWeights packed_;
  std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();
  Tally outputs_ = std::make_shared<int64_t>(0);
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int threads, int64_t memory_limit) {
  return std::make_unique<CpuBackend>(threads, memory_limit);
}

}  // namespace tyto
