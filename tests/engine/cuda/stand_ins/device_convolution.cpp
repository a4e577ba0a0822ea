#include "engine/cuda/stand_ins/device_convolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/cuda/stand_ins/elements.h"
#include "engine/cuda/stand_ins/libraries_impl.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

using dnnl::memory;

int64_t result_size(int64_t size, const ConvolutionSpec& s) {
  return (size + 2 * s.padding - s.dilation * (s.kernel - 1) - 1) / s.stride + 1;
}

void check(const ConvolutionSpec& s, const std::string& name) {
  const bool positive =
      std::min({s.n, s.height, s.width, s.channels, s.out_height, s.out_width, s.outputs}) > 0 &&
      std::min({s.kernel, s.stride, s.dilation, s.groups}) > 0 && s.padding >= 0;
  if (!positive || s.channels % s.groups != 0 || s.outputs % s.groups != 0 ||
      s.out_height != result_size(s.height, s) || s.out_width != result_size(s.width, s))
    throw Error(ErrorKind::Unsupported,
                fmt::format("{}: [{}, {}, {}, {}] to [{}, {}, {}] is no convolution of kernel {}, "
                            "stride {}, padding {}, dilation {} in {} groups",
                            name, s.n, s.height, s.width, s.channels, s.out_height, s.out_width, s.outputs,
                            s.kernel, s.stride, s.padding, s.dilation, s.groups));
}

memory::desc nhwc(int64_t n, int64_t height, int64_t width, int64_t channels) {
  return {{n, channels, height, width}, memory::data_type::f32, memory::format_tag::nhwc};
}

// [outputs, kernel, kernel, channels / groups] as oneDNN counts: groups, outputs, channels, rows, columns.
memory::desc filters(const ConvolutionSpec& s) {
  const int64_t inputs = s.channels / s.groups, outputs = s.outputs / s.groups, k = s.kernel;
  const int64_t row = k * inputs, filter = k * row;
  return {
      {s.groups, outputs, inputs, k, k}, memory::data_type::f32, {outputs * filter, filter, 1, row, inputs}};
}

}  // namespace

struct DeviceConvolution::Work {
  Work(Libraries::Impl& libraries, const ConvolutionSpec& given) : spec(given), stream(libraries.stream) {
    using Primitive = dnnl::convolution_forward;
    const memory::dims strides = {spec.stride, spec.stride}, dilates = {spec.dilation - 1, spec.dilation - 1},
                       padding = {spec.padding, spec.padding};
    const memory::desc wanted(
        {spec.groups, spec.outputs / spec.groups, spec.channels / spec.groups, spec.kernel, spec.kernel},
        memory::data_type::f32, memory::format_tag::any);
    const Primitive::desc description(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                                      nhwc(spec.n, spec.height, spec.width, spec.channels), wanted,
                                      nhwc(spec.n, spec.out_height, spec.out_width, spec.outputs), strides,
                                      dilates, padding, padding);
    const Primitive::primitive_desc planned(description, libraries.engine);
    primitive = Primitive(planned);
    source = memory(planned.src_desc(), libraries.engine, nullptr);
    given_filters = memory(filters(spec), libraries.engine, nullptr);
    packed_filters = memory(planned.weights_desc(), libraries.engine);
    sums = memory(planned.dst_desc(), libraries.engine);
    pack = dnnl::reorder(given_filters, packed_filters);
  }

  DType type() const { return activation_type(spec.precision); }
  int64_t inputs() const { return spec.n * spec.height * spec.width * spec.channels; }
  int64_t weights() const { return spec.outputs * spec.kernel * spec.kernel * (spec.channels / spec.groups); }
  int64_t pixels() const { return spec.n * spec.out_height * spec.out_width; }
  size_t bytes(int64_t elements) const { return static_cast<size_t>(elements * size_of(type())); }

  // The elements themselves where they are what is multiplied, else a copy in `room`.
  float* operands(const void* elements, int64_t count, std::vector<float>& room) const {
    if (spec.precision == Precision::Fp32) return static_cast<float*>(const_cast<void*>(elements));
    room.resize(static_cast<size_t>(count));
    load_operands(elements, spec.precision, count, room.data());
    return room.data();
  }

  void compute(const void* x, const void* filter, const Epilogue& epilogue, void* y) {
    std::vector<float> x_room, filter_room;
    given_filters.set_data_handle(operands(filter, weights(), filter_room));
    source.set_data_handle(operands(x, inputs(), x_room));
    pack.execute(stream, given_filters, packed_filters);
    primitive.execute(stream,
                      {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, packed_filters}, {DNNL_ARG_DST, sums}});
    stream.wait();
    store_results(static_cast<const float*>(sums.get_data_handle()), epilogue, type(), pixels(), spec.outputs,
                  y);
  }

  const ConvolutionSpec spec;
  dnnl::stream stream;
  dnnl::convolution_forward primitive;
  dnnl::reorder pack;
  memory source, given_filters, packed_filters, sums;
};

std::shared_ptr<DeviceConvolution::Work> DeviceConvolution::plan(Libraries& libraries,
                                                                 const ConvolutionSpec& spec,
                                                                 const std::string& name) try {
  check(spec, name);
  return std::make_shared<Work>(libraries.impl(), spec);
} catch (const dnnl::error& error) {
  throw Error(ErrorKind::Unsupported, fmt::format("the stand-in's oneDNN: {}", error.message));
}

DeviceConvolution::DeviceConvolution(Libraries& libraries, const ConvolutionSpec& spec,
                                     const std::string& name)
    : work_(plan(libraries, spec, name)),
      // As large as many of cuDNN's: the operands once more.
      operation_(libraries, name, static_cast<int64_t>(work_->bytes(work_->inputs()))) {}

void DeviceConvolution::run(const void* x, const void* weights, const void* bias, const void* residual,
                            void* y, void* workspace, kernels::Stream stream) {
  const ConvolutionSpec& spec = work_->spec;
  const size_t results = work_->bytes(work_->pixels() * spec.outputs);
  emulation::LibraryCall call;
  call.reads = {{x, work_->bytes(work_->inputs())}, {weights, work_->bytes(work_->weights())}};
  if (bias) call.reads.push_back({bias, work_->bytes(spec.outputs)});
  if (residual) call.reads.push_back({residual, results});
  call.writes = {{y, results}};
  call.run = [=, work = work_, epilogue = Epilogue{residual, bias, work_->spec.relu}] {
    work->compute(x, weights, epilogue, y);
  };
  const Argument arguments[] = {{x, true, "input"},
                                {weights, true, "weight"},
                                {bias, spec.bias, "bias"},
                                {residual, spec.residual, "residual"},
                                {y, true, "output"}};
  operation_.enqueue(arguments, workspace, std::move(call), stream);
}

}  // namespace tyto::cuda
