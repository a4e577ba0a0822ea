// Products of values with each other. An item of the batch is one thread's, by a primitive that was made for
// one thread: how oneDNN shares a product among threads would else decide its bits by its place.
#include <omp.h>

#include <array>

#include "engine/cpu/lowering.h"
#include "kernels/attention/masked_softmax.h"

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

// A head's scores stay in its thread's cache from the one product to the other.
void Lowering::lower(const Attention& op, const Node& node, int id) {
  const Shape &q = graph_.shape(node.inputs[0]), &k = graph_.shape(node.inputs[1]),
              &v = graph_.shape(node.inputs[2]);
  const int64_t queries = q[1], keys = k[1], depth = q[2] / op.heads, width = v[2] / op.heads;
  const int threads = omp_get_max_threads();
  const auto scores = std::make_shared<Product>(engine_, Product::Operand{queries, depth, q[2]},
                                                Product::Operand{depth, keys, k[2], /*transposed=*/true},
                                                keys, op.scale, threads);
  const auto values = std::make_shared<Product>(engine_, Product::Operand{queries, keys, keys},
                                                Product::Operand{keys, width, v[2]}, v[2], 1.0f, threads);
  std::vector<TensorRef> used;
  for (const Value in : node.inputs) used.push_back(rows(in));
  std::vector<memory> in;
  for (const TensorRef& s : used) in.push_back(bind(s));
  const int64_t map = rounded(queries * keys * static_cast<int64_t>(sizeof(float))),
                own = map + rounded(std::max(scores->scratch_bytes(), values->scratch_bytes()));
  const TensorRef scratch =
      new_tensor(described({threads * own}, memory::data_type::u8, memory::format_tag::a));
  const TensorRef result = new_tensor(plain(node.result()));
  used.push_back(scratch);
  used.push_back(result);
  const kernels::AttentionShape shape = {q[0], op.heads, queries, keys};
  kernels::AttentionBias<float> bias;
  kernels::AttentionMask mask;
  if (op.bias) {
    const Shape& b = graph_.shape(node.inputs[3]);
    bias.batch = b[0];
    bias.heads = b[1];
  }
  if (op.mask) {
    const Shape& b = graph_.shape(node.inputs[3 + op.bias]);
    mask.batch = b[0];
    mask.queries = b[1];
  }
  add_step(
      {node.name, "attention", scores->algorithm(), layout_name(result.layout), node.shape()},
      [=, in = std::move(in), s = bind(scratch), to = bind(result)](dnnl::stream& stream) mutable {
        if (op.bias) bias.data = floats(in[3]);
        if (op.mask) mask.data = static_cast<const int32_t*>(in[3 + op.bias].get_data_handle());
        each_item(shape.batch * shape.heads, [&](int64_t item, int thread) {
          const int64_t b = item / shape.heads, h = item % shape.heads;
          std::byte* const mine = static_cast<std::byte*>(s.get_data_handle()) + thread * own;
          auto* const weights = reinterpret_cast<float*>(mine);
          const auto head = [&](size_t which, int64_t tokens, int64_t size) {
            return floats(in[which]) + b * tokens * shape.heads * size + h * size;
          };
          scores->run(thread, head(0, queries, depth), head(1, keys, depth), weights, mine + map, stream);
          kernels::masked_softmax_rows_cpu(weights, queries, keys, bias.of(b, h, shape), mask.of(b, shape),
                                           mask.stride(shape), weights);
          values->run(thread, weights, head(2, keys, width),
                      floats(to) + b * queries * shape.heads * width + h * width, mine + map, stream);
        });
      },
      used);
  store(id, result);
}

}  // namespace tyto::cpu
