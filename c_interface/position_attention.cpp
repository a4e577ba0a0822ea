#include "kernels/attention/position_attention.h"

#include <omp.h>
#include <tyto_operators.h>

#include "c_interface/staging.h"

namespace tyto::c_interface {
namespace {

template <class Desc>
void check_sizes(const Desc& d, const Arguments& a) {
  a.size("batch", d.batch);
  a.size("positions", d.positions);
  a.size("depth", d.depth, 1);
  a.size("channels", d.channels, 1);
  a.choice("layout", d.layout, 2);
  a.below("batch", {d.batch});
  a.below("positions", {d.positions});
  a.below("depth", {d.depth});
  a.below("channels", {d.channels});
  if (d.device == TYTO_ON_CUDA) {
    a.number("depth", static_cast<double>(d.depth), 1, kernels::kMaxHeadSize);
    if (d.layout == TYTO_OPERATORS_CHANNELS_FIRST) {
      a.below("batch * positions * depth", {d.batch, d.positions, d.depth});
      a.below("batch * positions * channels", {d.batch, d.positions, d.channels});
    }
  }
  a.elements("q", d.q, {d.batch, d.positions, d.depth});
  a.elements("k", d.k, {d.batch, d.positions, d.depth});
  a.elements("v", d.v, {d.batch, d.positions, d.channels});
  a.array("gamma", d.gamma, {1}, sizeof *d.gamma);
}

template <class Desc>
Planes keys_of(const Desc& d) {
  return {d.batch, d.depth, d.positions, d.layout == TYTO_OPERATORS_CHANNELS_FIRST};
}
template <class Desc>
Planes values_of(const Desc& d) {
  return {d.batch, d.channels, d.positions, d.layout == TYTO_OPERATORS_CHANNELS_FIRST};
}

// All but x, as the kernels that compute of C take it.
template <class C, class T, class Desc>
kernels::PositionAttentionOf<C> attention_of(const Desc& d, Staging& s) {
  kernels::PositionAttentionOf<C> of = {
      .batch = d.batch, .positions = d.positions, .depth = d.depth, .channels = d.channels, .gamma = d.gamma};
  of.q = s.in<C>(static_cast<const T*>(d.q), keys_of(d));
  of.k = s.in<C>(static_cast<const T*>(d.k), keys_of(d));
  of.v = s.in<C>(static_cast<const T*>(d.v), values_of(d));
  return of;
}

struct PositionAttention : StagedFunction<PositionAttention> {
  using Desc = tyto_position_attention_desc;
  static constexpr const char* kName = "tyto_position_attention";

  static Desc defaults() { return {}; }
  static void check(const Desc& d, const Arguments& a) {
    check_sizes(d, a);
    a.elements("x", d.x, {d.batch, d.positions, d.channels});
    a.elements("y", d.y, {d.batch, d.positions, d.channels});
    a.optional("maximum", d.maximum, {d.batch, d.positions}, sizeof *d.maximum);
    a.optional("sum", d.sum, {d.batch, d.positions}, sizeof *d.sum);
  }
  template <class T>
  static void compute(const Desc& d, Staging& s) {
#ifdef TYTO_C_INTERFACE_CUDA
    if (s.cuda()) return compute_of<T, T>(d, s);
#endif
    compute_of<float, T>(d, s);
  }

 private:
  template <class C, class T>
  static void compute_of(const Desc& d, Staging& s) {
    auto of = attention_of<C, T>(d, s);
    of.x = s.in<C>(static_cast<const T*>(d.x), values_of(d));
    const auto y = s.out<C>(static_cast<T*>(d.y), values_of(d));
    const kernels::RowStatistics rows = {d.maximum, d.sum};
#ifdef TYTO_C_INTERFACE_CUDA
    if (s.cuda()) {
      if (s.measures()) return;
      kernels::position_attention<C>(of, y.at, rows, s.stream());
      return s.deliver(y);
    }
#endif
    if constexpr (std::is_same_v<C, float>) {
      float* const scratch =
          s.take<float>(kernels::position_attention_scratch_floats(of, omp_get_max_threads()));
      if (s.measures()) return;
      kernels::position_attention_cpu(of, y.at, rows, scratch);
      s.deliver(y);
    }
  }
};

struct PositionAttentionBackward : StagedFunction<PositionAttentionBackward> {
  using Desc = tyto_position_attention_backward_desc;
  static constexpr const char* kName = "tyto_position_attention_backward";

  static Desc defaults() { return {}; }
  static void check(const Desc& d, const Arguments& a) {
    check_sizes(d, a);
    a.array("maximum", d.maximum, {d.batch, d.positions}, sizeof *d.maximum);
    a.array("sum", d.sum, {d.batch, d.positions}, sizeof *d.sum);
    a.elements("y_gradient", d.y_gradient, {d.batch, d.positions, d.channels});
    a.gradient("q_gradient", d.q_gradient, {d.batch, d.positions, d.depth});
    a.gradient("k_gradient", d.k_gradient, {d.batch, d.positions, d.depth});
    a.gradient("v_gradient", d.v_gradient, {d.batch, d.positions, d.channels});
    a.optional("gamma_gradient", d.gamma_gradient, {1}, sizeof *d.gamma_gradient);
  }
  template <class T>
  static void compute(const Desc& d, Staging& s) {
#ifdef TYTO_C_INTERFACE_CUDA
    if (s.cuda()) return compute_of<T, T>(d, s);
#endif
    compute_of<float, T>(d, s);
  }

 private:
  template <class C, class T>
  static void compute_of(const Desc& d, Staging& s) {
    const auto of = attention_of<C, T>(d, s);
    const C* const y_gradient = s.in<C>(static_cast<const T*>(d.y_gradient), values_of(d));
    const auto q = s.out<C>(static_cast<T*>(d.q_gradient), keys_of(d)),
               k = s.out<C>(static_cast<T*>(d.k_gradient), keys_of(d)),
               v = s.out<C>(static_cast<T*>(d.v_gradient), values_of(d));
    const kernels::RowStatistics rows = {const_cast<float*>(d.maximum), const_cast<float*>(d.sum)};
    const kernels::PositionAttentionGradients<C> to = {
        .q = q.at, .k = k.at, .v = v.at, .gamma = d.gamma_gradient};
#ifdef TYTO_C_INTERFACE_CUDA
    if (s.cuda()) {
      float* const memory = s.take<float>(kernels::position_attention_backward_floats(d.batch, d.positions));
      if (s.measures()) return;
      kernels::position_attention_backward<C>(of, rows, y_gradient, to, memory, s.stream());
    }
#endif
    if constexpr (std::is_same_v<C, float>) {
      if (!s.cuda()) {
        float* const scratch =
            s.take<float>(kernels::position_attention_backward_scratch_floats(of, omp_get_max_threads()));
        if (s.measures()) return;
        kernels::position_attention_backward_cpu(of, rows, y_gradient, to, scratch);
      }
    }
    s.deliver(q);
    s.deliver(k);
    s.deliver(v);
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_position_attention, tyto::c_interface::PositionAttention)
TYTO_C_FUNCTIONS(tyto_position_attention_backward, tyto::c_interface::PositionAttentionBackward)
