// With one batch size, what a sample gets does not hang on what stands beside it, or on its place.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "engine/graph/passes.h"
#include "engine/runtime/plan_graph.h"
#include "engine/self_test/cases.h"
#include "support/random_weights.h"
#include "support/same_bits.h"

namespace tyto {

using Samples = std::map<std::string, Tensor>;

// The samples of each tensor that has one for each of the batch, moved so that sample i comes from `from(i)`;
// -1: zero. What all samples share stays.
template <class From>
Samples rearranged(const Samples& tensors, int64_t batch, const From& from) {
  Samples moved;
  for (const auto& [name, tensor] : tensors) {
    if (tensor.dim(0) != batch) {
      moved.emplace(name, tensor);
      continue;
    }
    Tensor to = Tensor::zeros(tensor.dtype(), tensor.shape());
    const auto part = static_cast<size_t>(tensor.bytes() / batch);
    for (int64_t i = 0; i < batch; ++i)
      if (const int64_t source = from(i); source >= 0)
        std::memcpy(to.data() + static_cast<size_t>(i) * part,
                    tensor.data() + static_cast<size_t>(source) * part, part);
    moved.emplace(name, std::move(to));
  }
  return moved;
}

// Of every operator of the self-test, and every pair of them that a case has in sequence.
inline void expect_samples_hang_on_nothing_else(Context& context, Precision precision) {
  int compared = 0;
  for (const OperatorCase& c : operator_cases()) {
    const int64_t batch = c.input[0];
    if (batch < 2) continue;
    SCOPED_TRACE(c.name + " in " + name_of(precision));
    Plan plan = plan_graph(optimise(graph_of(c, Weights(invent(c.weights)))), context, precision);
    const auto run = [&](const Samples& inputs) {
      Samples copies;
      for (const auto& [name, tensor] : plan.run(inputs)) copies.emplace(name, tensor.clone());
      return copies;
    };
    const Samples inputs = noise_for(graph_of(c, Weights(invent(c.weights))));
    const Samples straight = run(inputs);
    const auto next = [&](int64_t i) { return (i + 1) % batch; };
    const Samples rotated = run(rearranged(inputs, batch, next)), want = rearranged(straight, batch, next);
    const auto alone = [](int64_t i) { return i == 0 ? 0 : -1; };
    const Samples first = rearranged(run(rearranged(inputs, batch, alone)), batch, alone),
                  first_wanted = rearranged(straight, batch, alone);
    for (const auto& [name, tensor] : want) {
      EXPECT_TRUE(same_bits(rotated.at(name), tensor)) << name << " at another place";
      EXPECT_TRUE(same_bits(first.at(name), first_wanted.at(name))) << name << " beside zeros";
    }
    ++compared;
  }
  EXPECT_GE(compared, 10);
}

}  // namespace tyto
