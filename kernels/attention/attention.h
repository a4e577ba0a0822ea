// Scaled dot-product attention (Vaswani et al., NeurIPS 2017) in one pass over the keys: the map of queries x
// keys is never stored (Milakov and Gimelshein 2018; Dao et al., NeurIPS 2022). position_attention.h is the
// same with another end.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/attention/masked_softmax.h"
#include "kernels/common/element_types.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

inline constexpr int kMaxHeadSize = 256;  // values of a query and key in one head, on CUDA
inline constexpr int kMaxKeySets = 8;

// Rows of tokens as a layer leaves them: [batch, tokens, stride], of which the heads' values stand first, one
// head after another; a slice of a wider row is a pointer into it and its stride.
template <class T>
struct Tokens {
  T* data = nullptr;
  int64_t stride = 0;  // from token to token, at least heads * size; an item of the batch is tokens * stride
};

// Keys that a query attends to, with their values: one set, or several that share one softmax (a view each).
template <class T>
struct KeySet {
  Tokens<const T> k, v;   // [batch, keys, heads * depth], [batch, keys, heads * width]
  int64_t keys = 0;       // may be 0
  AttentionBias<T> bias;  // added to scale * q . k; [.., queries, keys]
  AttentionMask mask;     // keys that a query does not attend to
};

// What attention() is of. y = softmax over the keys of all sets of (scale * q . k + bias), times v; 0 for a
// query that has no key, or -infinity for all of them. NaN or +infinity among a query's scores make its row
// NaN.
template <class T>
struct AttentionOf {
  int64_t batch = 0, heads = 1, queries = 0;
  int64_t depth = 0, width = 0;  // of a head: values of a query and key, of a value
  float scale = 1;
  Tokens<const T> q;                          // [batch, queries, heads * depth]
  std::array<KeySet<T>, kMaxKeySets> sets{};  // the first key_sets
  int key_sets = 1;
};

// Of every row of the map, what backward needs to make it again; F32 [batch, heads, queries] each, or null.
// A row that attends to nothing has -infinity and 0.
struct RowStatistics {
  float* maximum = nullptr;  // of scale * q . k + bias
  float* sum = nullptr;      // of e^(score - maximum)
};

// y [batch, queries, heads * width]; no input. Sums in float, in an order that depends on sizes alone.
// |y - exact| <= 2^-24 (10 sqrt(depth + 2) s + 10 sqrt(keys) + 50) times the largest |v|, where s is the
// largest of a row's sums of |scale * q k| and |bias|: a score's error is one of its e^x.
// Bits depend neither on the number of threads nor on the rest of the batch; CPUs with other vector
// instructions differ by rounding.
// scratch: attention_scratch_floats() of the caller's, for all threads of OpenMP together.
void attention_cpu(const AttentionOf<float>&, Tokens<float> y, const RowStatistics&, float* scratch);
int64_t attention_scratch_floats(const AttentionOf<float>&, int threads);

// The same on CUDA for float (on CUDA cores, every product rounded to float), Half and BFloat16 (tensor
// cores, which sum in float; probabilities are rounded to T). Device pointers; AttentionOf stands on the
// host. queries, keys and batch * heads < 2^31 each, else DeviceError. No workspace, no atomics.
template <class T>
void attention(const AttentionOf<T>&, Tokens<T> y, const RowStatistics&, Stream stream);

// Gradients of the loss: of q, and of each set's k, v and bias; where data is null it is not wanted. Written,
// not added to. bias: float, of the bias's own [batch, heads, queries, keys], summed over those that share
// it.
template <class T>
struct AttentionGradients {
  Tokens<T> q;
  struct OfSet {
    Tokens<T> k, v;
    float* bias = nullptr;
  };
  std::array<OfSet, kMaxKeySets> sets{};
};

// From the gradient of y and what attention() left of its rows. The map is made again; deterministic, no
// atomics. On the CPU with attention_cpu()'s promises and scratch, at most 4 MiB a thread up to 20,000 keys.
// Keys and values are finite, those that a mask leaves out as well. Half loses gradients of scores below
// 2^-25, so that training scales its loss.
// workspace: attention_backward_floats() of F32
void attention_backward_cpu(const AttentionOf<float>&, const RowStatistics&, Tokens<const float> y_gradient,
                            const AttentionGradients<float>&, float* workspace);
template <class T>
void attention_backward(const AttentionOf<T>&, const RowStatistics&, Tokens<const T> y_gradient,
                        const AttentionGradients<T>&, float* workspace, Stream stream);
int64_t attention_backward_floats(int64_t batch, int64_t heads, int64_t queries);   // CUDA's
int64_t attention_backward_scratch_floats(const AttentionOf<float>&, int threads);  // the CPU's

}  // namespace tyto::kernels
