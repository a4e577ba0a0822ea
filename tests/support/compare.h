// How far two results lie apart, in the measure of engine/self_test/tolerance.h, and how they are computed.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include "engine/graph/graph.h"
#include "engine/reference/reference.h"
#include "engine/runtime/backend.h"
#include "engine/self_test/tolerance.h"
#include "support/same_bits.h"

namespace tyto {

// The largest difference over the largest magnitude of `want`; infinite where one of them is NaN.
inline double relative_error(const Tensor& given, const Tensor& wanted) {
  const Tensor got = given.to_f32(), want = wanted.to_f32();
  EXPECT_EQ(got.shape(), want.shape());
  if (got.shape() != want.shape()) return std::numeric_limits<double>::infinity();
  double difference = 0, scale = 0;
  for (size_t i = 0; i < want.as<float>().size(); ++i) {
    const double a = got.as<float>()[i], b = want.as<float>()[i];
    if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::infinity();
    difference = std::max(difference, std::abs(a - b));
    scale = std::max(scale, std::abs(b));
  }
  return difference == 0 ? 0 : difference / scale;
}

// A run of a graph of one input.
inline void run_once(Executable& executable, const Tensor& input, std::map<std::string, Tensor>& outputs) {
  const BoundInput bound = &input;
  executable.submit({&bound, 1});
  executable.collect(outputs);
}

// A graph compiled for the CPU as it is, without any pass before.
struct OnCpu {
  explicit OnCpu(const Graph& graph, int threads = 1)
      : backend(make_cpu_backend(threads, 0)),
        executable(backend->compile(graph, Precision::Fp32)),
        outputs(output_tensors(graph, Precision::Fp32)) {}

  const std::map<std::string, Tensor>& run(const Tensor& input) {
    run_once(*executable, input, outputs);
    return outputs;
  }
  bool uses(const std::string& algorithm) const {
    const auto& steps = executable->report().steps;
    return std::any_of(steps.begin(), steps.end(), [&](const PlanReport::Step& s) {
      return s.algorithm.find(algorithm) != std::string::npos;
    });
  }

  std::unique_ptr<Backend> backend;
  std::unique_ptr<Executable> executable;
  std::map<std::string, Tensor> outputs;
};

// Every output of the graph on the CPU is the reference's, up to the rounding of `layers` sums of `terms`
// products.
inline void expect_cpu_equals_reference(const Graph& graph, const Tensor& input, double terms,
                                        double layers = 1, int threads = 1) {
  OnCpu cpu(graph, threads);
  const auto& got = cpu.run(input);
  const double tolerance = sum_tolerance(Precision::Fp32, terms, layers, cpu.uses("wino"));
  for (const auto& [name, want] : run_reference(graph, input))
    EXPECT_LE(relative_error(got.at(name), want), tolerance) << name;
}

// Two graphs mean the same: their reference runs differ by no more than what rounding weights to float once
// more brings; 0 layers where the values must be equal.
inline void expect_same_meaning(const Graph& before, const Graph& after, const Tensor& input, double terms,
                                double layers) {
  const auto want = run_reference(before, input), got = run_reference(after, input);
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, tensor] : want)
    EXPECT_LE(relative_error(got.at(name), tensor), sum_tolerance(Precision::Fp32, terms, layers)) << name;
}

// How many nodes of a graph are of the operator `Op`.
template <class Op>
int count(const Graph& graph) {
  return static_cast<int>(std::count_if(graph.nodes().begin(), graph.nodes().end(),
                                        [](const Node& n) { return std::holds_alternative<Op>(n.op); }));
}

// The only node of the operator `Op`.
template <class Op>
const Node& only(const Graph& graph) {
  EXPECT_EQ(count<Op>(graph), 1);
  return *std::find_if(graph.nodes().begin(), graph.nodes().end(),
                       [](const Node& n) { return std::holds_alternative<Op>(n.op); });
}

}  // namespace tyto
