#include "kernels/attention/attention.h"

#include <omp.h>
#include <tyto_operators.h>

#include <cfloat>
#include <cmath>

#include "c_interface/staging.h"

namespace tyto::c_interface {
namespace {

// What both descriptors have.

struct Strides {
  int64_t q, k, v, y;
};
template <class Desc>
Strides strides_of(const Desc& d) {
  const auto of = [](int64_t stride, int64_t least) { return stride == 0 ? least : stride; };
  const int64_t depth = d.heads * d.depth, width = d.heads * d.width;
  return {of(d.q_stride, depth), of(d.k_stride, depth), of(d.v_stride, width), of(d.y_stride, width)};
}

void check_repeats(const char* name, int64_t value, const char* whole_name, int64_t whole) {
  if (whole % value != 0)
    throw Refused{TYTO_OPERATORS_BAD_ARGUMENT, std::string(name) + " is " + std::to_string(value) +
                                                   ", which does not divide " + whole_name + ", " +
                                                   std::to_string(whole)};
}
void check_one_or_all(const char* name, int64_t value, const char* all_name, int64_t all) {
  if (value != 1 && value != all)
    throw Refused{TYTO_OPERATORS_BAD_ARGUMENT, std::string(name) + " is " + std::to_string(value) +
                                                   "; it must be 1 or " + all_name + ", " +
                                                   std::to_string(all)};
}

template <class Desc>
void check_sizes(const Desc& d, const Arguments& a) {
  a.size("batch", d.batch);
  a.size("heads", d.heads, 1);
  a.size("queries", d.queries);
  a.size("keys", d.keys);
  a.size("depth", d.depth, 1);
  a.size("width", d.width, 1);
  a.size("bias_batch", d.bias_batch, 1);
  a.size("bias_heads", d.bias_heads, 1);
  a.size("mask_batch", d.mask_batch, 1);
  a.size("mask_queries", d.mask_queries, 1);
  a.below("queries", {d.queries});
  a.below("keys", {d.keys});
  a.below("batch * heads", {d.batch, d.heads});
  a.below("heads * depth", {d.heads, d.depth});
  a.below("heads * width", {d.heads, d.width});
  if (d.device == TYTO_ON_CUDA) a.number("depth", static_cast<double>(d.depth), 1, kernels::kMaxHeadSize);
  const Strides strides = strides_of(d);
  a.size("q_stride", strides.q, d.heads * d.depth);
  a.size("k_stride", strides.k, d.heads * d.depth);
  a.size("v_stride", strides.v, d.heads * d.width);
  a.size("y_stride", strides.y, d.heads * d.width);
  check_repeats("bias_batch", d.bias_batch, "batch", d.batch);
  check_one_or_all("bias_heads", d.bias_heads, "heads", d.heads);
  check_repeats("mask_batch", d.mask_batch, "batch", d.batch);
  check_one_or_all("mask_queries", d.mask_queries, "queries", d.queries);
  a.number("scale", d.scale, -FLT_MAX, FLT_MAX);
}
template <class Desc>
void check_inputs(const Desc& d, const Arguments& a) {
  const Strides strides = strides_of(d);
  a.elements("q", d.q, {d.batch, d.queries, strides.q});
  a.elements("k", d.k, {d.batch, d.keys, strides.k});
  a.elements("v", d.v, {d.batch, d.keys, strides.v});
  a.optional("bias", d.bias, {d.bias_batch, d.bias_heads, d.queries, d.keys}, a.element_bytes());
  a.optional("mask", d.mask, {d.mask_batch, d.mask_queries, d.keys}, sizeof *d.mask);
}

// As the kernels that compute of C take it.
template <class C, class T, class Desc>
kernels::AttentionOf<C> attention_of(const Desc& d, Staging& s) {
  const Strides strides = strides_of(d);
  const auto tokens = [&](const void* data, int64_t stride, int64_t count, int64_t used) {
    return s.in<C>(kernels::Tokens<const T>{static_cast<const T*>(data), stride}, d.batch * count, used);
  };
  kernels::AttentionOf<C> of = {
      .batch = d.batch,
      .heads = d.heads,
      .queries = d.queries,
      .depth = d.depth,
      .width = d.width,
      .scale = static_cast<float>(d.scale == 0 ? 1 / std::sqrt(static_cast<double>(d.depth)) : d.scale),
      .q = tokens(d.q, strides.q, d.queries, d.heads * d.depth)};
  kernels::KeySet<C>& set = of.sets[0];
  set.k = tokens(d.k, strides.k, d.keys, d.heads * d.depth);
  set.v = tokens(d.v, strides.v, d.keys, d.heads * d.width);
  set.keys = d.keys;
  const Planes bias = {d.bias_batch * d.bias_heads, d.queries, d.keys};
  set.bias = {s.in<C>(static_cast<const T*>(d.bias), bias), d.bias_batch, d.bias_heads};
  set.mask = {d.mask, d.mask_batch, d.mask_queries};
  return of;
}

struct Attention : StagedFunction<Attention> {
  using Desc = tyto_attention_desc;
  static constexpr const char* kName = "tyto_attention";

  static Desc defaults() { return {.bias_batch = 1, .bias_heads = 1, .mask_batch = 1, .mask_queries = 1}; }
  static void check(const Desc& d, const Arguments& a) {
    check_sizes(d, a);
    check_inputs(d, a);
    a.elements("y", d.y, {d.batch, d.queries, strides_of(d).y});
    a.optional("maximum", d.maximum, {d.batch, d.heads, d.queries}, sizeof *d.maximum);
    a.optional("sum", d.sum, {d.batch, d.heads, d.queries}, sizeof *d.sum);
  }
  template <class T>
  static void compute(const Desc& d, Staging& s) {
    const kernels::Tokens<T> y = {static_cast<T*>(d.y), strides_of(d).y};
#ifdef TYTO_C_INTERFACE_CUDA
    if (s.cuda()) {
      const auto of = attention_of<T, T>(d, s);
      if (!s.measures()) kernels::attention<T>(of, y, {d.maximum, d.sum}, s.stream());
      return;
    }
#endif
    const auto of = attention_of<float, T>(d, s);
    const int64_t tokens = d.batch * d.queries, used = d.heads * d.width;
    const auto result = s.out<float>(y, tokens, used);
    float* const scratch = s.take<float>(kernels::attention_scratch_floats(of, omp_get_max_threads()));
    if (s.measures()) return;
    kernels::attention_cpu(of, result, {d.maximum, d.sum}, scratch);
    s.deliver(result, y, tokens, used);
  }
};

struct AttentionBackward : StagedFunction<AttentionBackward> {
  using Desc = tyto_attention_backward_desc;
  static constexpr const char* kName = "tyto_attention_backward";

  static Desc defaults() { return {.bias_batch = 1, .bias_heads = 1, .mask_batch = 1, .mask_queries = 1}; }
  static void check(const Desc& d, const Arguments& a) {
    check_sizes(d, a);
    check_inputs(d, a);
    const Strides strides = strides_of(d);
    a.array("maximum", d.maximum, {d.batch, d.heads, d.queries}, sizeof *d.maximum);
    a.array("sum", d.sum, {d.batch, d.heads, d.queries}, sizeof *d.sum);
    a.elements("y_gradient", d.y_gradient, {d.batch, d.queries, strides.y});
    a.gradient("q_gradient", d.q_gradient, {d.batch, d.queries, strides.q});
    a.gradient("k_gradient", d.k_gradient, {d.batch, d.keys, strides.k});
    a.gradient("v_gradient", d.v_gradient, {d.batch, d.keys, strides.v});
    a.optional("bias_gradient", d.bias_gradient, {d.bias_batch, d.bias_heads, d.queries, d.keys},
               sizeof *d.bias_gradient);
  }
  template <class T>
  static void compute(const Desc& d, Staging& s) {
    if (!s.measures() && d.bias_gradient != nullptr && d.bias == nullptr)
      throw Refused{TYTO_OPERATORS_BAD_ARGUMENT, "bias_gradient is given, but bias is null"};
    const Strides strides = strides_of(d);
    const int64_t queries = d.batch * d.queries, keys = d.batch * d.keys;
    const int64_t depth = d.heads * d.depth, width = d.heads * d.width;
    const kernels::RowStatistics rows = {const_cast<float*>(d.maximum), const_cast<float*>(d.sum)};
    const kernels::Tokens<const T> y = {static_cast<const T*>(d.y_gradient), strides.y};
    const kernels::Tokens<T> q = {static_cast<T*>(d.q_gradient), strides.q},
                             k = {static_cast<T*>(d.k_gradient), strides.k},
                             v = {static_cast<T*>(d.v_gradient), strides.v};
#ifdef TYTO_C_INTERFACE_CUDA
    if (s.cuda()) {
      const auto of = attention_of<T, T>(d, s);
      kernels::AttentionGradients<T> to = {.q = q};
      to.sets[0] = {k, v, d.bias_gradient};
      float* const memory = s.take<float>(kernels::attention_backward_floats(d.batch, d.heads, d.queries));
      if (!s.measures()) kernels::attention_backward<T>(of, rows, y, to, memory, s.stream());
      return;
    }
#endif
    const auto of = attention_of<float, T>(d, s);
    const auto y_gradient = s.in<float>(y, queries, width);
    kernels::AttentionGradients<float> to = {.q = s.out<float>(q, queries, depth)};
    to.sets[0] = {s.out<float>(k, keys, depth), s.out<float>(v, keys, width), d.bias_gradient};
    float* const scratch =
        s.take<float>(kernels::attention_backward_scratch_floats(of, omp_get_max_threads()));
    if (s.measures()) return;
    kernels::attention_backward_cpu(of, rows, y_gradient, to, scratch);
    s.deliver(to.q, q, queries, depth);
    s.deliver(to.sets[0].k, k, keys, depth);
    s.deliver(to.sets[0].v, v, keys, width);
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_attention, tyto::c_interface::Attention)
TYTO_C_FUNCTIONS(tyto_attention_backward, tyto::c_interface::AttentionBackward)
