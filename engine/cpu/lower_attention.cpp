// Products of values with each other, and attention. An item of the batch is one thread's, by a primitive
// that was made for one thread: how oneDNN shares a product among threads would else decide its bits by its
// place.
#include <omp.h>

#include <array>

#include "engine/cpu/lowering.h"
#include "kernels/attention/masked_softmax.h"
#include "kernels/attention/position_attention.h"

namespace tyto::cpu {
namespace {

// Two matrices' product, for one thread at a time of each copy.
class Product {
 public:
  // Strides from row to row in elements; the shorter way of a transposed operand is along its columns.
  struct Operand {
    int64_t rows, columns, stride;
    bool transposed = false;  // it lies as [columns, rows]
    memory::desc layout() const {
      const memory::dims strides = transposed ? memory::dims{1, stride} : memory::dims{stride, 1};
      return {{rows, columns}, memory::data_type::f32, strides};
    }
  };

  Product(const dnnl::engine& engine, const Operand& a, const Operand& b, int64_t y_stride, float scale,
          int threads)
      : engine_(engine) {
    const int before = omp_get_max_threads();
    omp_set_num_threads(1);
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (scale != 1) attr.set_output_scales(0, {scale});
    const dnnl::matmul::primitive_desc pd(
        {a.layout(), b.layout(), Operand{a.rows, b.columns, y_stride}.layout()}, attr, engine);
    primitive_ = dnnl::matmul(pd);
    omp_set_num_threads(before);
    algorithm_ = pd.impl_info_str();
    scratch_bytes_ = static_cast<int64_t>(pd.scratchpad_desc().get_size());
    for (int t = 0; t < threads; ++t) {
      Copy& copy = copies_.emplace_back();
      copy.memories = {memory(pd.src_desc(), engine, nullptr), memory(pd.weights_desc(), engine, nullptr),
                       memory(pd.dst_desc(), engine, nullptr), memory(pd.scratchpad_desc(), engine, nullptr)};
      constexpr int kArguments[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD};
      for (size_t i = 0; i < copy.memories.size(); ++i)
        copy.arguments[i] = {kArguments[i], copy.memories[i].get()};
    }
  }

  // scratch: scratch_bytes() of the calling thread's own.
  void run(int thread, const float* a, const float* b, float* y, void* scratch, dnnl::stream& stream) {
    Copy& copy = copies_[static_cast<size_t>(thread)];
    copy.memories[0].set_data_handle(const_cast<float*>(a));
    copy.memories[1].set_data_handle(const_cast<float*>(b));
    copy.memories[2].set_data_handle(y);
    copy.memories[3].set_data_handle(scratch);
    dnnl::error::wrap_c_api(
        dnnl_primitive_execute(primitive_.get(), stream.get(), static_cast<int>(copy.arguments.size()),
                               copy.arguments.data()),
        "could not multiply matrices");
  }

  const std::string& algorithm() const { return algorithm_; }
  int64_t scratch_bytes() const { return scratch_bytes_; }

 private:
  struct Copy {
    std::array<memory, 4> memories;
    std::array<dnnl_exec_arg_t, 4> arguments;
  };
  dnnl::engine engine_;
  dnnl::matmul primitive_;
  std::string algorithm_;
  int64_t scratch_bytes_ = 0;
  std::vector<Copy> copies_;
};

constexpr int64_t kCacheLine = 64;
int64_t rounded(int64_t bytes) { return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine; }

// Calls f(item, thread) for each item. What f throws leaves the parallel region by the first that did.
template <class F>
void each_item(int64_t items, const F& f) {
  std::exception_ptr failed;
#pragma omp parallel for schedule(static)
  for (int64_t item = 0; item < items; ++item) {
    try {
      f(item, omp_get_thread_num());
    } catch (...) {
#pragma omp critical
      if (!failed) failed = std::current_exception();
    }
  }
  if (failed) std::rethrow_exception(failed);
}

}  // namespace

TensorRef Lowering::new_floats(int64_t count) {
  return new_tensor(described({std::max<int64_t>(1, count)}, memory::data_type::f32, memory::format_tag::a));
}

void Lowering::lower(const MatMul& op, const Node& node, int id) {
  const Shape &a = graph_.shape(node.inputs[0]), &b = graph_.shape(node.inputs[1]), &y = node.shape();
  const size_t rank = y.rank();
  const int64_t m = y[rank - 2], n = y[rank - 1], k = a[rank - 1 - op.transpose_a];
  const int threads = omp_get_max_threads();
  const auto product = std::make_shared<Product>(engine_, Product::Operand{m, k, a[rank - 1], op.transpose_a},
                                                 Product::Operand{k, n, b[b.rank() - 1], op.transpose_b}, n,
                                                 op.scale, threads);
  const TensorRef left = rows(node.inputs[0]), right = rows(node.inputs[1]);
  const int64_t own = rounded(product->scratch_bytes());
  const TensorRef scratch = new_tensor(
      described({std::max<int64_t>(1, threads * own)}, memory::data_type::u8, memory::format_tag::a));
  const TensorRef result = new_tensor(plain(node.result()));
  add_step(
      {node.name, "matmul", product->algorithm(), layout_name(result.layout), y},
      [product, l = bind(left), r = bind(right), s = bind(scratch), to = bind(result), own, m, n, k,
       shared = b.rank() == 2, items = m * n == 0 ? 0 : y.elements() / (m * n)](dnnl::stream& stream) {
        auto* const bytes = static_cast<std::byte*>(s.get_data_handle());
        each_item(items, [&](int64_t item, int thread) {
          product->run(thread, floats(l) + item * m * k, floats(r) + (shared ? 0 : item * k * n),
                       floats(to) + item * m * n, bytes + thread * own, stream);
        });
      },
      std::array{left, right, scratch, result});
  store(id, result);
}

// One kernel, which keeps no map of queries x keys.
void Lowering::lower(const Attention& op, const Node& node, int id) {
  const Shape &q = graph_.shape(node.inputs[0]), &k = graph_.shape(node.inputs[1]),
              &v = graph_.shape(node.inputs[2]);
  kernels::AttentionOf<float> of;
  of.batch = q[0];
  of.heads = op.heads;
  of.queries = q[1];
  of.depth = q[2] / op.heads;
  of.width = v[2] / op.heads;
  of.scale = op.scale;
  of.q.stride = q[2];
  kernels::KeySet<float>& keys = of.sets[0];
  keys.keys = k[1];
  keys.k.stride = k[2];
  keys.v.stride = v[2];
  std::vector<TensorRef> used;
  std::vector<memory> in;
  for (const Value input : node.inputs) {
    used.push_back(rows(input));
    in.push_back(bind(used.back()));
  }
  if (op.bias) {
    const Shape& bias = graph_.shape(node.inputs[3]);
    keys.bias.batch = bias[0];
    keys.bias.heads = bias[1];
  }
  if (op.mask) {
    const Shape& mask = graph_.shape(node.inputs[3 + op.bias]);
    keys.mask.batch = mask[0];
    keys.mask.queries = mask[1];
  }
  const TensorRef scratch = new_floats(kernels::attention_scratch_floats(of, omp_get_max_threads()));
  const TensorRef result = new_tensor(plain(node.result()));
  used.push_back(scratch);
  used.push_back(result);
  add_step(
      {node.name, "attention", "tyto", layout_name(result.layout), node.shape()},
      [of, op, in = std::move(in), s = bind(scratch), y = bind(result)](dnnl::stream&) mutable {
        kernels::KeySet<float>& set = of.sets[0];
        of.q.data = floats(in[0]);
        set.k.data = floats(in[1]);
        set.v.data = floats(in[2]);
        if (op.bias) set.bias.data = floats(in[3]);
        if (op.mask) set.mask.data = static_cast<const int32_t*>(in[3 + op.bias].get_data_handle());
        kernels::attention_cpu(of, {floats(y), of.heads * of.width}, {}, floats(s));
      },
      used);
  store(id, result);
}

// Maps are channels last, a row a position.
void Lowering::lower(const PositionAttention&, const Node& node, int id) {
  const auto channels_last = [&](const Shape& shape) {
    return described(shape, memory::data_type::f32, memory::format_tag::nhwc);
  };
  std::vector<TensorRef> used;
  std::array<memory, 4> in;
  for (size_t i = 0; i < in.size(); ++i) {
    used.push_back(in_layout(node.inputs[i], channels_last(graph_.shape(node.inputs[i]))));
    in[i] = bind(used.back());
  }
  const Shape& q = graph_.shape(node.inputs[0]);
  kernels::PositionAttentionOf<float> of;
  of.batch = q[0];
  of.positions = q[2] * q[3];
  of.depth = q[1];
  of.channels = node.shape()[1];
  const TensorRef scratch = new_floats(kernels::position_attention_scratch_floats(of, omp_get_max_threads()));
  const TensorRef result = new_tensor(channels_last(node.shape()));
  used.push_back(scratch);
  used.push_back(result);
  add_step(
      {node.name, "position_attention", "tyto", layout_name(result.layout), node.shape()},
      [of, in, gamma = node.weights[0].load(), s = bind(scratch), y = bind(result)](dnnl::stream&) mutable {
        of.q = floats(in[0]);
        of.k = floats(in[1]);
        of.v = floats(in[2]);
        of.x = floats(in[3]);
        of.gamma = std::as_const(gamma).as<float>().data();
        kernels::position_attention_cpu(of, floats(y), {}, floats(s));
      },
      used);
  store(id, result);
  // The layers behind go on in the layout of those before.
  if (const memory::desc& before = stored(node.inputs[3]).layout; before != result.layout)
    store(id, copy({id}, before));
}

}  // namespace tyto::cpu
