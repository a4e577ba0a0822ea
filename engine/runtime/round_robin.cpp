#include "engine/runtime/round_robin.h"

#include <utility>

namespace tyto {
namespace {

class RoundRobinExecutable : public Executable {
 public:
  explicit RoundRobinExecutable(std::vector<std::unique_ptr<Executable>> each) : each_(std::move(each)) {}

  void submit(std::span<const BoundInput> inputs) override {
    each_[submitted_ % each_.size()]->submit(inputs);
    ++submitted_;
  }

  void collect(std::map<std::string, Tensor>& outputs) override {
    Executable& next = *each_[collected_ % each_.size()];
    ++collected_;
    next.collect(outputs);
  }

  int in_flight() const override { return static_cast<int>(each_.size()) * each_.front()->in_flight(); }
  const PlanReport& report() const override { return each_.front()->report(); }

  int64_t prologue_samples() const override {
    int64_t samples = 0;
    for (const auto& executable : each_) samples += executable->prologue_samples();
    return samples;
  }
  void forget_prologue() override {
    for (const auto& executable : each_) executable->forget_prologue();
  }

  std::vector<double> time_steps(std::span<const BoundInput> inputs,
                                 std::map<std::string, Tensor>& outputs) override {
    return each_.front()->time_steps(inputs, outputs);
  }

 private:
  std::vector<std::unique_ptr<Executable>> each_;
  size_t submitted_ = 0, collected_ = 0;
};

class RoundRobinBackend : public Backend {
 public:
  explicit RoundRobinBackend(std::vector<std::unique_ptr<Backend>> each) : each_(std::move(each)) {}

  std::unique_ptr<Executable> compile(const Graph& graph, Precision precision) override {
    std::vector<std::unique_ptr<Executable>> compiled;
    for (const auto& backend : each_) compiled.push_back(backend->compile(graph, precision));
    return std::make_unique<RoundRobinExecutable>(std::move(compiled));
  }

  std::vector<std::pair<std::string, std::string>> describe() const override {
    std::vector<std::pair<std::string, std::string>> lines;
    for (const auto& backend : each_)
      for (const auto& line : backend->describe()) lines.push_back(line);
    return lines;
  }

  int in_flight() const override { return static_cast<int>(each_.size()) * each_.front()->in_flight(); }
  bool preprocesses() const override { return each_.front()->preprocesses(); }

  Peaks measure_peaks(Precision precision) override { return each_.front()->measure_peaks(precision); }

 private:
  std::vector<std::unique_ptr<Backend>> each_;
};

}  // namespace

std::unique_ptr<Backend> make_round_robin_backend(std::vector<std::unique_ptr<Backend>> backends) {
  if (backends.size() == 1) return std::move(backends.front());
  return std::make_unique<RoundRobinBackend>(std::move(backends));
}

}  // namespace tyto
