// The softmax of attention (Vaswani et al. 2017): scores of keys, a bias, keys that are left out.
#pragma once

#include <cstdint>

#include "kernels/common/element_types.h"
#include "kernels/common/host_device.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

struct AttentionShape {
  int64_t batch = 0, heads = 0, queries = 0, keys = 0;

  TYTO_HOST_DEVICE int64_t rows() const { return batch * heads * queries; }
};

// Added to the scores: relative positions (Swin, whose windows repeat in the batch), -infinity as a mask.
template <class T>
struct AttentionBias {
  const T* data = nullptr;       // [batch, heads, queries, keys]; null: none
  int64_t batch = 1, heads = 1;  // batch divides the scores', whose b takes b % batch; heads 1 or the scores'

  // The [queries, keys] of one head; null where there is none.
  TYTO_HOST_DEVICE const T* of(int64_t b, int64_t head, const AttentionShape& shape) const {
    return data ? data + ((b % batch) * heads + (heads == 1 ? 0 : head)) * shape.queries * shape.keys
                : nullptr;
  }
};

// Which keys a query attends to.
struct AttentionMask {
  const int32_t* data = nullptr;  // [batch, queries, keys], 0: not to this one; null: to all
  int64_t batch = 1,
          queries = 1;  // batch divides the scores', whose b takes b % batch; queries 1 or the scores'

  // The keys of one image's first query, and how far the next query's are; null where there is none.
  TYTO_HOST_DEVICE const int32_t* of(int64_t b, const AttentionShape& shape) const {
    return data ? data + (b % batch) * queries * shape.keys : nullptr;
  }
  TYTO_HOST_DEVICE int64_t stride(const AttentionShape& shape) const { return queries == 1 ? 0 : shape.keys; }
};

// probabilities = softmax over keys of scores + bias, of the keys that the mask leaves; the others get 0. A
// query that has no key, or -infinity for all of them, gets zeros (torch: NaN). A NaN or +infinity among its
// keys makes a query's probabilities NaN.
// scores, probabilities  [batch, heads, queries, keys]; may be one array
void masked_softmax_cpu(const float* scores, const AttentionShape&, const AttentionBias<float>&,
                        const AttentionMask&, float* probabilities);

// The same on CUDA, with a bias and probabilities of float, Half or BFloat16; e^x and sums in float, in an
// order that depends on keys alone. queries, keys and heads < 2^31 each and rows < 2^31, else DeviceError.
// scores  may be the probabilities where T is float
template <class T>
void masked_softmax(const float* scores, const AttentionShape&, const AttentionBias<T>&, const AttentionMask&,
                    T* probabilities, Stream stream);

}  // namespace tyto::kernels
