// An AttentionProblem on the device under test, in T; on the host are the values that T rounds it to.
#pragma once

#include <list>

#include "kernels/attention/attention_problem.h"
#include "kernels/attention/attention_reference.h"
#include "kernels/cuda/nhwc_batch.h"

namespace tyto::kernels {

template <class T>
class DeviceAttention {
 public:
  // offset: elements that every array lies past an aligned address.
  explicit DeviceAttention(const AttentionSizes& sizes, int64_t offset = 0)
      : offset_(offset), problem(sizes) {
    AttentionOf<float>& host = problem.of;
    device = {.batch = host.batch,
              .heads = host.heads,
              .queries = host.queries,
              .depth = host.depth,
              .width = host.width,
              .scale = host.scale,
              .q = upload(host.q, host.batch * host.queries),
              .key_sets = host.key_sets};
    for (int s = 0; s < host.key_sets; ++s) {
      const KeySet<float>& from = host.sets[static_cast<size_t>(s)];
      KeySet<T>& to = device.sets[static_cast<size_t>(s)];
      to.keys = from.keys;
      to.k = upload(from.k, host.batch * from.keys);
      to.v = upload(from.v, host.batch * from.keys);
      if (from.bias.data)
        to.bias = {upload(from.bias.data, from.bias.batch * from.bias.heads * host.queries * from.keys),
                   from.bias.batch, from.bias.heads};
      if (from.mask.data) {
        const int64_t count = from.mask.batch * from.mask.queries * from.keys;
        to.mask = {masks_.emplace_back(std::vector<int32_t>(from.mask.data, from.mask.data + count)).data(),
                   from.mask.batch, from.mask.queries};
      }
    }
  }

  Tokens<const T> upload(const Tokens<const float>& tokens, int64_t rows) {
    return {upload(tokens.data, rows * tokens.stride), tokens.stride};
  }
  const T* upload(const float* values, int64_t count) {
    float* const host = problem.change(values);
    const std::vector<float> plain(host, host + count);
    const std::vector<float> kept = floats(rounded<T>(plain));
    std::copy(kept.begin(), kept.end(), host);
    return arrays_.emplace_back(rounded<T>(behind(offset_, plain))).data() + offset_;
  }

 private:
  int64_t offset_;
  std::list<DeviceArray<T>> arrays_;
  std::list<DeviceArray<int32_t>> masks_;

 public:
  AttentionProblem problem;
  AttentionOf<T> device;
};

// The largest value that a query can get.
inline double largest_value(const AttentionOf<float>& of) {
  double largest = 0;
  for (int s = 0; s < of.key_sets; ++s) {
    const KeySet<float>& set = of.sets[static_cast<size_t>(s)];
    for (int64_t i = 0; i < of.batch * set.keys; ++i)
      for (int64_t c = 0; c < of.heads * of.width; ++c)
        largest = std::max(largest, std::fabs(double{set.v.data[i * set.v.stride + c]}));
  }
  return largest;
}

}  // namespace tyto::kernels
