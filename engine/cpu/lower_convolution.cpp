// Convolutions and linear layers on oneDNN.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>

#include "engine/cpu/lowering.h"

namespace tyto::cpu {
namespace {

using Convolution = dnnl::convolution_forward;

// For the transformed tiles of several images at once, and of one image or of what is counted.
constexpr int64_t kWinogradScratch = int64_t{256} << 20, kWinogradScratchAlone = int64_t{1} << 30;
constexpr int64_t kWinogradMinChannels = 32;  // below, the transforms cost more than they save

// Whether oneDNN may be asked for a Winograd kernel at all: it counts the values of one channel's transformed
// tiles, 6 x 6 for each 4 x 4 of the result, in 32 bits. (Of images of more than a hundred gigabytes a
// layer.)
bool winograd_counts(const Shape& y) {
  const int64_t tiles = (y[2] + 3) / 4 * ((y[3] + 3) / 4);
  return y[0] * tiles <= std::numeric_limits<int32_t>::max() / 36;
}

// 3x3, stride 1, enough channels on both sides: Winograd is 2-3 times faster there (where the CPU has a
// kernel for it).
bool winograd_may_win(const Conv2d& op, const Shape& x, const Shape& w) {
  return op.kernel == 3 && op.stride == 1 && op.dilation == 1 && op.groups == 1 &&
         x[1] >= kWinogradMinChannels && w[0] >= kWinogradMinChannels;
}

int64_t scratch_bytes(const Convolution::primitive_desc& pd) {
  return static_cast<int64_t>(pd.scratchpad_desc().get_size());
}

// The largest divisor of `all` that is less than `n`; 0 below 1.
int64_t next_divisor(int64_t all, int64_t n) {
  for (--n; n > 0 && all % n != 0;) --n;
  return n;
}

bool is_jit(const Convolution::primitive_desc& pd) {
  const std::string_view name = pd.impl_info_str();
  return name.starts_with("jit") || name.starts_with("brg");
}

bool pads(const Padding& p) { return p.top > 0 || p.left > 0 || p.bottom > 0 || p.right > 0; }

Shape grown(const Shape& x, const Padding& p) {
  return {x[0], x[1], x[2] + p.top + p.bottom, x[3] + p.left + p.right};
}

struct ConvolutionShape {
  memory::dims weights, strides, dilates, before, after;
};

ConvolutionShape shape_of(const Conv2d& op, const Shape& w) {
  ConvolutionShape s;
  s.weights = w.dims();
  if (op.groups > 1) s.weights = {op.groups, w[0] / op.groups, w[1], w[2], w[3]};
  s.strides = {op.stride, op.stride};
  s.dilates = {op.dilation - 1, op.dilation - 1};
  s.before = {op.padding.top, op.padding.left};
  s.after = {op.padding.bottom, op.padding.right};
  return s;
}

}  // namespace

// A copy of v with a border of zeros.
TensorRef Lowering::padded(Value v, const Padding& padding, const memory::desc& layout) {
  const Shape& shape = graph_.shape(v);
  const TensorRef from = stored(v), to = new_tensor(layout);
  add_step(
      {graph_.node(v).name, "zero", "tyto", layout_name(layout), Shape(layout.dims())},
      [m = bind(to), bytes = layout.get_size()](dnnl::stream&) {
        std::memset(m.get_data_handle(), 0, bytes);
      },
      std::array{to});
  TensorRef inside = to;
  inside.layout = layout.submemory_desc(shape.dims(), {0, 0, padding.top, padding.left});
  add_reorder({graph_.node(v).name, "reorder", "into a border of zeros", layout_name(layout), shape}, from,
              inside.layout, bind(inside), std::array{from, to});
  return to;
}

// How a convolution is done.
struct Lowering::ConvolutionChoice {
  ConvolutionShape shape;
  memory::desc bias;
  dnnl::primitive_attr attributes;
  dnnl::algorithm algorithm = dnnl::algorithm::convolution_direct;
  int64_t images = 0;        // in one pass
  bool padded_copy = false;  // of the input, which then needs no padding
  Convolution::primitive_desc pd;

  Convolution::primitive_desc describe(const dnnl::engine& engine, const memory::desc& source,
                                       const memory::desc& weights, const memory::desc& result) const {
    const Convolution::desc d(dnnl::prop_kind::forward_inference, algorithm, source, weights, bias, result,
                              shape.strides, shape.dilates, shape.before, shape.after);
    return {d, attributes, engine, /*allow_empty=*/true};
  }
};

// Of what a user allows, a quarter: the rest is for weights and values.
int64_t Lowering::winograd_scratch(bool alone) const {
  const int64_t most = alone ? kWinogradScratchAlone : kWinogradScratch;
  return memory_limit_ > 0 ? std::min(most, memory_limit_ / 4) : most;
}

// Winograd, else direct; the layouts that the input and a residual have are kept where a JIT kernel takes
// them, the residual's first, so that layouts pass from layer to layer and only the network's input is
// reordered. all: images of a batch, or of a sample
// where they are counted.
Lowering::ConvolutionChoice Lowering::choose_convolution(const Conv2d& op, const Node& node, int64_t all,
                                                         bool is_counted) {
  const Value x = node.inputs[0];
  const Shape& w = node.weights[0].shape();
  ConvolutionChoice choice = {.shape = shape_of(op, w)};
  if (node.weights.size() > 1) choice.bias = plain(node.weights[1].shape());
  dnnl::post_ops ops;
  if (node.inputs.size() > 1) ops.append_sum();
  append_activation(ops, op.activation);
  choice.attributes = attributes(ops);

  const memory::desc any_weights(choice.shape.weights, memory_type(node.result().elements),
                                 memory::format_tag::any);
  const auto of_a_pass = [&](Result map) {
    map.shape[0] = choice.images;
    return map;
  };
  const auto as_it_is = [&](Value v) { return with_images(stored(v).layout, choice.images); };
  const auto described = [&] {
    const memory::desc any_source = any_layout(of_a_pass(graph_.result(x))),
                       any_result = any_layout(of_a_pass(node.result()));
    std::vector<memory::desc> results = {any_result};
    if (node.inputs.size() > 1) results.insert(results.begin(), as_it_is(node.inputs[1]));
    for (const memory::desc& result : results)
      for (const memory::desc& source : {as_it_is(x), any_source}) {
        if (source.data_type() != any_weights.data_type() || result.data_type() != any_weights.data_type())
          continue;
        if (auto pd = choice.describe(engine_, source, any_weights, result); pd && is_jit(pd)) return pd;
      }
    return choice.describe(engine_, any_source, any_weights, any_result);
  };

  choice.algorithm = dnnl::algorithm::convolution_winograd;
  const bool may_win =
      any_weights.data_type() == memory::data_type::f32 && winograd_may_win(op, graph_.shape(x), w);
  // In as many passes as keep the scratch within its cap.
  for (choice.images = may_win ? all : 0; choice.images > 0;
       choice.images = is_counted ? 0 : next_divisor(all, choice.images)) {
    if (!winograd_counts(of_a_pass(node.result()).shape)) continue;
    choice.pd = described();
    if (!choice.pd) break;
    const bool alone = choice.images == 1 || is_counted;
    if (scratch_bytes(choice.pd) <= winograd_scratch(alone)) return choice;
  }
  choice.algorithm = dnnl::algorithm::convolution_direct;
  choice.images = all;
  choice.pd = described();

  // Direct kernels refuse a padding wider than their registers hold, as of SSD's dilated conv6. What is left
  // then is a matrix product, which rounds an image by its place in the batch; a padded copy of the input
  // avoids it.
  if (!choice.pd || is_jit(choice.pd) || !pads(op.padding)) return choice;
  ConvolutionChoice of_a_copy = choice;
  of_a_copy.padded_copy = true;
  of_a_copy.shape.before = of_a_copy.shape.after = {0, 0};
  of_a_copy.pd = of_a_copy.describe(
      engine_, any_layout(of_a_pass({grown(graph_.shape(x), op.padding), node.result().elements, Kind::Map})),
      any_weights, any_layout(of_a_pass(node.result())));
  return of_a_copy.pd && is_jit(of_a_copy.pd) ? of_a_copy : choice;
}

void Lowering::lower(const Conv2d& op, const Node& node, int id) {
  const Value x = node.inputs[0];
  const bool residual = node.inputs.size() > 1;
  const std::optional<CountedRows> counts = residual ? std::nullopt : counted(x);
  const int64_t all = counts ? counts->capacity : node.shape()[0];
  const ConvolutionChoice choice = choose_convolution(op, node, all, counts.has_value());
  const Convolution::primitive_desc& pd = choice.pd;
  if (!pd)
    throw Error(ErrorKind::Unsupported, fmt::format("layer '{}': oneDNN has no such convolution", node.name));

  const memory::desc source_layout = with_images(pd.src_desc(), graph_.shape(x)[0]),
                     result_layout = with_images(pd.dst_desc(), node.shape()[0]);
  const TensorRef source =
      choice.padded_copy ? padded(x, op.padding, source_layout) : in_layout(x, source_layout);
  const TensorRef result =
      residual ? reuse_or_copy(node.inputs[1], result_layout, id, source) : new_tensor(result_layout);
  const memory::dims& dims = choice.shape.weights;
  memory::dims plain_strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) plain_strides[i - 1] = plain_strides[i] * dims[i];
  Arguments arguments = {
      {DNNL_ARG_WEIGHTS,
       pack(node.weights[0], {dims, memory::data_type::f32, plain_strides}, pd.weights_desc())}};
  if (node.weights.size() > 1)
    arguments.emplace_back(DNNL_ARG_BIAS, pack(node.weights[1], choice.bias, pd.bias_desc()));
  store(id, result);
  if (counts) {
    const auto of_images = [&](int64_t n) {
      return choice.describe(engine_, with_images(pd.src_desc(), n), pd.weights_desc(),
                             with_images(pd.dst_desc(), n));
    };
    return add_counted(node, rungs_of<Convolution>(pd, all, of_images), *counts, source, result, arguments);
  }
  if (choice.images < all)
    return add_passes(node, rung_of<Convolution>(choice.images, pd), all / choice.images, source, result,
                      arguments);
  arguments.emplace_back(DNNL_ARG_SRC, bind(source));
  arguments.emplace_back(DNNL_ARG_DST, bind(result));
  add_primitive(node, pd.impl_info_str(), Convolution(pd), pd.scratchpad_desc(), std::move(arguments),
                std::array{source, result});
}

void Lowering::lower(const ConvTranspose2d& op, const Node& node, int id) {
  const Shape& w = node.weights[0].shape();
  const bool biased = node.weights.size() > 1;
  const memory::desc bias_layout = biased ? plain(node.weights[1].shape()) : memory::desc();
  // oneDNN's weights are [groups, K/groups, C/groups, kernel, kernel]; PyTorch has C before K.
  const memory::dim in = w[0] / op.groups, out = w[1], taps = w[2] * w[3];
  memory::dims dims = {op.groups, out, in, w[2], w[3]},
               strides = {in * out * taps, taps, out * taps, w[3], 1};
  if (op.groups == 1) {
    dims.erase(dims.begin());
    strides.erase(strides.begin());
  }
  const memory::dim after = op.padding - op.output_padding;
  dnnl::post_ops ops;
  append_activation(ops, op.activation);
  const dnnl::deconvolution_forward::primitive_desc pd(
      {dnnl::prop_kind::forward_inference,
       dnnl::algorithm::deconvolution_direct,
       any_layout(graph_.result(node.inputs[0])),
       {dims, memory_type(node.result().elements), memory::format_tag::any},
       bias_layout,
       any_layout(node.result()),
       {op.stride, op.stride},
       {op.dilation - 1, op.dilation - 1},
       {op.padding, op.padding},
       {after, after}},
      attributes(ops), engine_);
  const TensorRef source = in_layout(node.inputs[0], pd.src_desc()), result = new_tensor(pd.dst_desc());
  Arguments arguments = {
      {DNNL_ARG_SRC, bind(source)},
      {DNNL_ARG_DST, bind(result)},
      {DNNL_ARG_WEIGHTS, pack(node.weights[0], {dims, memory::data_type::f32, strides}, pd.weights_desc())}};
  if (biased) arguments.emplace_back(DNNL_ARG_BIAS, pack(node.weights[1], bias_layout, pd.bias_desc()));
  add_primitive(node, pd.impl_info_str(), dnnl::deconvolution_forward(pd), pd.scratchpad_desc(),
                std::move(arguments), std::array{source, result});
  store(id, result);
}

void Lowering::lower(const Linear& op, const Node& node, int id) {
  // As a 1x1 convolution over one image of n x 1 pixels, which rows [n, C] are in NHWC: unlike oneDNN's
  // matrix product, its convolutions give a row the same bits whatever its place in the batch.
  const Value x = node.inputs[0];
  const std::optional<CountedRows> counts = counted(x);
  const int64_t outputs = node.weights[0].dim(0), inputs = node.weights[0].dim(1),
                all = outputs == 0 ? 0 : node.shape().elements() / outputs;
  const auto as_image = [&](int64_t n, int64_t channels) {
    return described({1, channels, n, 1}, memory::data_type::f32, memory::format_tag::nhwc);
  };
  const bool biased = node.weights.size() > 1;
  const memory::desc bias_layout = biased ? plain(node.weights[1].shape()) : memory::desc();
  dnnl::post_ops ops;
  append_activation(ops, op.activation);
  const memory::dims one = {1, 1}, zero = {0, 0}, weight_dims = {outputs, inputs, 1, 1};
  const auto product = [&](int64_t n, const memory::desc& weights) {
    const Convolution::desc d(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                              as_image(n, inputs), weights, bias_layout, as_image(n, outputs), one, zero,
                              zero, zero);
    return Convolution::primitive_desc(d, attributes(ops), engine_);
  };
  const Convolution::primitive_desc pd = product(
      counts ? counts->capacity : all, {weight_dims, memory::data_type::f32, memory::format_tag::any});

  // A map is read channels last, and so are the weights.
  TensorRef source, result = new_tensor(plain(node.shape()));
  memory::desc weights(weight_dims, memory::data_type::f32, memory::format_tag::oihw);
  if (const Result& map = graph_.result(x); map.kind == Kind::Map) {
    source = in_layout(x, described(map.shape, memory::data_type::f32, memory::format_tag::nhwc));
    const int64_t area = map.shape[2] * map.shape[3], channels = map.shape[1];
    weights = {{outputs, area, channels}, memory::data_type::f32, memory::dims{inputs, 1, area}};
  } else {
    source = rows(x);
  }
  Arguments arguments = {{DNNL_ARG_WEIGHTS, pack(node.weights[0], weights, pd.weights_desc())}};
  if (biased) arguments.emplace_back(DNNL_ARG_BIAS, pack(node.weights[1], bias_layout, pd.bias_desc()));
  store(id, result);
  if (counts) {
    const auto of_rows = [&](int64_t n) { return product(n, pd.weights_desc()); };
    return add_counted(node, rungs_of<Convolution>(pd, counts->capacity, of_rows), *counts, source, result,
                       arguments);
  }
  const TensorRef used[] = {source, result};
  source.layout = pd.src_desc();
  TensorRef image = result;
  image.layout = pd.dst_desc();
  arguments.emplace_back(DNNL_ARG_SRC, bind(source));
  arguments.emplace_back(DNNL_ARG_DST, bind(image));
  add_primitive(node, pd.impl_info_str(), Convolution(pd), pd.scratchpad_desc(), std::move(arguments), used);
}

}  // namespace tyto::cpu
