// The stand-ins for cuDNN and cuBLASLt compute what these would, and announce exactly what they touch.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "emulation/emulation.h"
#include "engine/cuda/convolution.h"
#include "engine/cuda/element_type.h"
#include "engine/cuda/libraries.h"
#include "engine/cuda/matrix_product.h"
#include "kernels/cuda/device_array.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

using kernels::check_cuda;
using kernels::DeviceArray;

constexpr Precision kPrecisions[] = {Precision::Fp32, Precision::Tf32, Precision::Fp16, Precision::Bf16};

// Numbers in device memory, in the type of a precision's activations.
class Elements {
 public:
  Elements(Precision precision, const std::vector<float>& values) : precision_(precision) {
    with_element_type(activation_type(precision), [&]<class T>() {
      const std::vector<T> typed = kernels::rounded<T>(values);
      bytes_.emplace(static_cast<int64_t>(typed.size() * sizeof(T)));
      check_cuda(cudaMemcpy(bytes_->data(), typed.data(), typed.size() * sizeof(T), cudaMemcpyHostToDevice));
    });
  }

  unsigned char* data() { return bytes_->data(); }
  std::vector<float> download() const {
    std::vector<float> values;
    with_element_type(activation_type(precision_), [&]<class T>() {
      const std::vector<unsigned char> raw = bytes_->download();
      std::vector<T> typed(raw.size() / sizeof(T));
      std::memcpy(typed.data(), raw.data(), raw.size());
      values = kernels::floats(typed);
    });
    return values;
  }

 private:
  Precision precision_;
  std::optional<DeviceArray<unsigned char>> bytes_;
};

// As the tensor cores see an operand that is stored in activation_type(precision).
double operand(float stored, Precision precision) {
  if (precision != Precision::Tf32 || stored == 0) return stored;
  int exponent = 0;
  const double mantissa = std::frexp(stored, &exponent);  // 11 bits: the leading one and ten more
  return std::ldexp(std::round(std::ldexp(mantissa, 11)), exponent - 11);
}

double half_ulp(Precision precision, double value) {
  const int bits = precision == Precision::Fp16 ? 11 : precision == Precision::Bf16 ? 8 : 24;
  const double subnormal =
      precision == Precision::Fp16 ? 0x1p-25 : 0;  // the other types' are too small to be met
  return std::ldexp(std::abs(value), -bits) + subnormal;
}

struct Expected {
  double value = 0;
  double magnitude = 0;  // sum of the absolute values of all that was added
};

struct Operands {
  std::vector<float> x, weights, bias, residual;
};

// What is in the elements after their rounding to the type.
std::vector<float> as_stored(Precision precision, const std::vector<float>& values) {
  std::vector<float> stored;
  with_element_type(activation_type(precision),
                    [&]<class T>() { stored = kernels::floats(kernels::rounded<T>(values)); });
  return stored;
}

std::vector<Expected> reference(const ConvolutionSpec& s, const Operands& o) {
  std::vector<Expected> y;
  const int64_t group_in = s.channels / s.groups, group_out = s.outputs / s.groups;
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t oy = 0; oy < s.out_height; ++oy)
      for (int64_t ox = 0; ox < s.out_width; ++ox)
        for (int64_t k = 0; k < s.outputs; ++k) {
          Expected e;
          const auto add = [&](double term) {
            e.value += term;
            e.magnitude += std::abs(term);
          };
          for (int64_t r = 0; r < s.kernel; ++r)
            for (int64_t q = 0; q < s.kernel; ++q)
              for (int64_t c = 0; c < group_in; ++c) {
                const int64_t iy = oy * s.stride - s.padding + r * s.dilation;
                const int64_t ix = ox * s.stride - s.padding + q * s.dilation;
                if (iy < 0 || iy >= s.height || ix < 0 || ix >= s.width) continue;
                const int64_t channel = k / group_out * group_in + c;
                const float x =
                    o.x[static_cast<size_t>(((n * s.height + iy) * s.width + ix) * s.channels + channel)];
                const float w =
                    o.weights[static_cast<size_t>(((k * s.kernel + r) * s.kernel + q) * group_in + c)];
                add(operand(x, s.precision) * operand(w, s.precision));
              }
          if (s.residual) add(o.residual[y.size()]);
          if (s.bias) add(o.bias[static_cast<size_t>(k)]);
          if (s.relu) e.value = std::max(e.value, 0.0);
          y.push_back(e);
        }
  return y;
}

// Sums of n terms in fp32, in any order, lie within (n - 1) roundings of their magnitude; then one to the
// type.
void expect_near(const std::vector<float>& got, const std::vector<Expected>& want, Precision precision,
                 double terms) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const double sum_error = terms * std::ldexp(want[i].magnitude, -24);
    const double bound = sum_error + half_ulp(precision, std::abs(want[i].value) + sum_error);
    EXPECT_NEAR(got[i], want[i].value, bound) << "element " << i;
  }
}

std::vector<float> random_values(int64_t count, std::mt19937& random) {
  std::uniform_real_distribution<float> between(-1, 1);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = between(random);
  return values;
}

ConvolutionSpec sized(ConvolutionSpec s) {
  const auto out = [&](int64_t in) {
    return (in + 2 * s.padding - s.dilation * (s.kernel - 1) - 1) / s.stride + 1;
  };
  s.out_height = out(s.height);
  s.out_width = out(s.width);
  return s;
}

Operands random_operands(const ConvolutionSpec& s, unsigned seed) {
  std::mt19937 random(seed);
  const int64_t results = s.n * s.out_height * s.out_width * s.outputs;
  return {
      as_stored(s.precision, random_values(s.n * s.height * s.width * s.channels, random)),
      as_stored(s.precision, random_values(s.outputs * s.kernel * s.kernel * s.channels / s.groups, random)),
      as_stored(s.precision, random_values(s.outputs, random)),
      as_stored(s.precision, random_values(results, random))};
}

std::vector<float> convolve(const ConvolutionSpec& spec, const Operands& o) {
  Libraries libraries({});
  Convolution convolution(libraries, spec);
  Elements x(spec.precision, o.x), weights(spec.precision, o.weights), bias(spec.precision, o.bias),
      residual(spec.precision, o.residual);
  Elements y(
      spec.precision,
      std::vector<float>(static_cast<size_t>(spec.n * spec.out_height * spec.out_width * spec.outputs), NAN));
  DeviceArray<unsigned char> workspace(convolution.workspace_bytes());
  convolution.run(x.data(), weights.data(), spec.bias ? bias.data() : nullptr,
                  spec.residual ? residual.data() : nullptr, y.data(), workspace.data(), nullptr);
  return y.download();
}

TEST(StandInConvolution, EqualsTheNaiveSumInEveryPrecision) {
  const ConvolutionSpec shapes[] = {
      {.n = 1, .height = 1, .width = 1, .channels = 1, .outputs = 1},
      {.n = 2, .height = 5, .width = 7, .channels = 3, .outputs = 5, .kernel = 3, .padding = 1},
      {.n = 1,
       .height = 11,
       .width = 9,
       .channels = 3,
       .outputs = 17,
       .kernel = 7,
       .stride = 2,
       .padding = 3},
      {.n = 1,
       .height = 9,
       .width = 8,
       .channels = 33,
       .outputs = 16,
       .kernel = 3,
       .padding = 2,
       .dilation = 2},
      {.n = 3, .height = 4, .width = 4, .channels = 8, .outputs = 6, .kernel = 3, .padding = 1, .groups = 2},
      {.n = 1,
       .height = 6,
       .width = 5,
       .channels = 16,
       .outputs = 16,
       .kernel = 3,
       .padding = 1,
       .groups = 16},
      {.n = 2, .height = 3, .width = 3, .channels = 40, .outputs = 24, .kernel = 1, .stride = 2},
  };
  unsigned seed = 0;
  for (ConvolutionSpec spec : shapes)
    for (Precision precision : kPrecisions)
      for (int epilogue = 0; epilogue < 8; ++epilogue) {
        SCOPED_TRACE(testing::Message() << spec.channels << " channels, kernel " << spec.kernel << ", "
                                        << name_of(precision) << ", epilogue " << epilogue);
        spec.precision = precision;
        spec.residual = epilogue & 1;
        spec.bias = epilogue & 2;
        spec.relu = epilogue & 4;
        spec = sized(spec);
        const Operands operands = random_operands(spec, ++seed);
        const double terms = static_cast<double>(spec.kernel * spec.kernel * spec.channels / spec.groups) + 2;
        expect_near(convolve(spec, operands), reference(spec, operands), precision, terms);
      }
}

ConvolutionSpec one_pixel(Precision precision) {
  ConvolutionSpec s;
  s.precision = precision;
  s.n = s.height = s.width = s.channels = s.out_height = s.out_width = s.outputs = 1;
  return s;
}

TEST(StandInConvolution, RoundsOnceAfterTheEpilogue) {
  ConvolutionSpec spec = one_pixel(Precision::Fp16);
  spec.residual = spec.bias = true;
  // fp16 counts by twos from 2048: rounding 2048 + 1 in between would lose both ones.
  EXPECT_EQ(convolve(spec, {{2048}, {1}, {1}, {1}}), std::vector<float>{2050});
}

TEST(StandInConvolution, AddsTheResidualBeforeTheBias) {
  ConvolutionSpec spec = one_pixel(Precision::Fp32);
  spec.residual = spec.bias = true;
  const float tiny = 0x1p-30f;  // lost beside 1
  EXPECT_EQ(convolve(spec, {{1}, {1}, {tiny}, {-1}}), std::vector<float>{tiny});
  EXPECT_EQ(convolve(spec, {{1}, {1}, {-1}, {tiny}}), std::vector<float>{0});
}

TEST(StandInConvolution, Tf32KeepsTenBitsOfTheOperandsAndFp32All) {
  const float x = 1 + 0x1p-11f;
  EXPECT_EQ(convolve(one_pixel(Precision::Fp32), {{x}, {1}, {}, {}}), std::vector<float>{x});
  EXPECT_EQ(convolve(one_pixel(Precision::Tf32), {{x}, {1}, {}, {}}), std::vector<float>{1 + 0x1p-10f});
  EXPECT_EQ(convolve(one_pixel(Precision::Tf32), {{1}, {-x}, {}, {}}), std::vector<float>{-1 - 0x1p-10f});
}

TEST(StandInConvolution, OverflowsInFp16AndPassesNaN) {
  EXPECT_EQ(convolve(one_pixel(Precision::Fp16), {{60000}, {2}, {}, {}}), std::vector<float>{INFINITY});
  ConvolutionSpec spec = one_pixel(Precision::Bf16);
  spec.relu = true;
  EXPECT_TRUE(std::isnan(convolve(spec, {{NAN}, {1}, {}, {}})[0]));
}

ErrorKind kind_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::Device;
}

TEST(StandInConvolution, RefusesWhatIsNoConvolution) {
  Libraries libraries({});
  const ConvolutionSpec good =
      sized({.n = 1, .height = 8, .width = 8, .channels = 4, .outputs = 4, .kernel = 3});
  for (auto spoil : std::initializer_list<void (*)(ConvolutionSpec&)>{
           [](ConvolutionSpec& s) { ++s.out_height; }, [](ConvolutionSpec& s) { ++s.out_width; },
           [](ConvolutionSpec& s) { s.groups = 3; }, [](ConvolutionSpec& s) { s.n = 0; },
           [](ConvolutionSpec& s) { s.kernel = 9; }}) {
    ConvolutionSpec bad = good;
    spoil(bad);
    EXPECT_EQ(kind_of([&] { Convolution(libraries, bad); }), ErrorKind::Unsupported);
  }
}

TEST(StandInConvolution, RefusesMissingAndMisalignedPointers) {
  Libraries libraries({});
  ConvolutionSpec spec = one_pixel(Precision::Fp16);
  spec.bias = true;
  Convolution convolution(libraries, spec);
  DeviceArray<float> memory(256), workspace(256);
  float *a = memory.data(), *w = workspace.data();
  EXPECT_EQ(kind_of([&] { convolution.run(a, a, nullptr, nullptr, a, w, nullptr); }), ErrorKind::Usage);
  EXPECT_EQ(kind_of([&] { convolution.run(a, a, a, a, a, w, nullptr); }), ErrorKind::Usage);
  EXPECT_EQ(kind_of([&] { convolution.run(a + 1, a, a, nullptr, a, w, nullptr); }), ErrorKind::Usage);
  EXPECT_EQ(kind_of([&] { convolution.run(a, a, a, nullptr, a, w + 4, nullptr); }), ErrorKind::Usage);
  EXPECT_EQ(kind_of([&] { convolution.run(a, a, a, nullptr, a, nullptr, nullptr); }), ErrorKind::Usage);
}

TEST(StandInConvolution, EveryBufferThatIsAnElementTooShortIsAFault) {
  const ConvolutionSpec spec = [] {
    ConvolutionSpec s = sized({.precision = Precision::Fp16,
                               .n = 2,
                               .height = 4,
                               .width = 4,
                               .channels = 3,
                               .outputs = 5,
                               .kernel = 3});
    s.bias = s.residual = true;
    return s;
  }();
  Libraries libraries({});
  Convolution convolution(libraries, spec);
  const int64_t results = 2 * 2 * 2 * 5 * 2;
  const std::vector<int64_t> bytes = {2 * 4 * 4 * 3 * 2, 5 * 9 * 3 * 2, 5 * 2,
                                      results,           results,       convolution.workspace_bytes()};
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    SCOPED_TRACE(cut);
    std::vector<std::optional<DeviceArray<unsigned char>>> buffers(bytes.size());
    for (size_t i = 0; i < bytes.size(); ++i) {
      buffers[i].emplace(bytes[i] - (i == cut ? 2 : 0));
      check_cuda(cudaMemset(buffers[i]->data(), 0, static_cast<size_t>(buffers[i]->size())));
    }
    convolution.run(buffers[0]->data(), buffers[1]->data(), buffers[2]->data(), buffers[3]->data(),
                    buffers[4]->data(), buffers[5]->data(), nullptr);
    const cudaError_t error = cudaDeviceSynchronize();
    const std::vector<std::string> faults = emulation::take_faults();
    if (cut == bytes.size()) {
      EXPECT_EQ(error, cudaSuccess);
      EXPECT_TRUE(faults.empty());
    } else {
      EXPECT_EQ(error, cudaErrorLaunchFailure);
      ASSERT_EQ(faults.size(), 1u);
      EXPECT_NE(faults[0].find("cuDNN's 3 x 3 convolution reaches 2 bytes past the end of device buffer"),
                std::string::npos)
          << faults[0];
    }
  }
}

// Its numbers are library_calls_test.cpp's business.
MatrixProductSpec heads_of_tokens() {
  MatrixProductSpec s = {.precision = Precision::Fp16, .rows = 3, .inputs = 4, .outputs = 3, .batch = 2};
  s.transpose_b = true;
  s.a = {12, 4};
  s.b = {10, 5};
  s.y = {7, 3};
  s.f32_result = true;
  return s;
}

TEST(StandInMatrixProduct, RefusesWhatIsNoProduct) {
  Libraries libraries({});
  const MatrixProductSpec good = heads_of_tokens();
  MatrixProduct(libraries, good);
  for (auto spoil : std::initializer_list<void (*)(MatrixProductSpec&)>{
           [](MatrixProductSpec& s) { s.rows = 0; }, [](MatrixProductSpec& s) { s.batch = 0; },
           [](MatrixProductSpec& s) { s.a.row = 3; }, [](MatrixProductSpec& s) { s.b.item = -1; },
           [](MatrixProductSpec& s) { s.y.item = 2; }, [](MatrixProductSpec& s) { s.y.item = 5; },
           [](MatrixProductSpec& s) { s.y.item = 0; }, [](MatrixProductSpec& s) { s.bias = true; },
           [](MatrixProductSpec& s) { s.relu = true; }}) {
    MatrixProductSpec bad = good;
    spoil(bad);
    EXPECT_EQ(kind_of([&] { MatrixProduct(libraries, bad); }), ErrorKind::Unsupported);
  }
}

TEST(StandInMatrixProduct, EveryBufferThatIsAnElementTooShortIsAFault) {
  const MatrixProductSpec spec = heads_of_tokens();
  Libraries libraries({});
  MatrixProduct product(libraries, spec);
  const std::vector<int64_t> bytes = {(4 + 2 * 12 + 4) * 2, (5 + 2 * 10 + 4) * 2, (3 + 2 * 7 + 3) * 4,
                                      product.workspace_bytes()};
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    SCOPED_TRACE(cut);
    std::vector<std::optional<DeviceArray<unsigned char>>> buffers(bytes.size());
    for (size_t i = 0; i < bytes.size(); ++i) {
      buffers[i].emplace(bytes[i] - (i == cut ? 2 : 0));
      check_cuda(cudaMemset(buffers[i]->data(), 0, static_cast<size_t>(buffers[i]->size())));
    }
    product.run(buffers[0]->data(), buffers[1]->data(), nullptr, buffers[2]->data(), buffers[3]->data(),
                nullptr);
    const cudaError_t error = cudaDeviceSynchronize();
    const std::vector<std::string> faults = emulation::take_faults();
    if (cut == bytes.size()) {
      EXPECT_EQ(error, cudaSuccess);
      EXPECT_TRUE(faults.empty());
    } else {
      EXPECT_EQ(error, cudaErrorLaunchFailure);
      ASSERT_EQ(faults.size(), 1u);
      EXPECT_NE(faults[0].find("cuBLASLt's matrix product reaches 2 bytes past the end of device buffer"),
                std::string::npos)
          << faults[0];
    }
  }
}

// Two products that write one token's halves wait for nothing.
TEST(StandInMatrixProduct, TouchesNothingBetweenItsRows) {
  MatrixProductSpec spec = {.rows = 4, .inputs = 4, .outputs = 4};
  spec.y.row = 8;
  Libraries libraries({});
  MatrixProduct left(libraries, spec), right(libraries, spec);
  const std::vector<float> values(16, 1.0f);
  DeviceArray<float> a(values), b(values), y(std::vector<float>(32, 0.0f));
  DeviceArray<unsigned char> left_workspace(left.workspace_bytes()), right_workspace(right.workspace_bytes());
  check_cuda(cudaDeviceSynchronize());
  cudaStream_t one = nullptr, other = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking));
  check_cuda(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
  left.run(a.data(), b.data(), nullptr, y.data(), left_workspace.data(), one);
  right.run(a.data(), b.data(), nullptr, y.data() + 4, right_workspace.data(), other);
  check_cuda(cudaDeviceSynchronize());
  EXPECT_EQ(y.download(), std::vector<float>(32, 4.0f));
  EXPECT_TRUE(emulation::take_faults().empty());
  check_cuda(cudaStreamDestroy(one));
  check_cuda(cudaStreamDestroy(other));
}

TEST(StandInConvolution, WhatWasCapturedOutlivesThePlanAndSpoilsTheWorkspace) {
  const ConvolutionSpec spec = one_pixel(Precision::Fp32);
  Elements x(spec.precision, {3}), weights(spec.precision, {2}), y(spec.precision, {0});
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  check_cuda(cudaStreamCreate(&stream));
  std::optional<DeviceArray<unsigned char>> workspace;
  {
    Libraries libraries({});
    Convolution convolution(libraries, spec);
    ASSERT_GT(convolution.workspace_bytes(), 0);
    workspace.emplace(std::vector<unsigned char>(static_cast<size_t>(convolution.workspace_bytes()), 1));
    const auto run = [&] {
      convolution.run(x.data(), weights.data(), nullptr, nullptr, y.data(), workspace->data(), stream);
    };
    run();
    check_cuda(cudaStreamSynchronize(stream));
    check_cuda(cudaMemset(y.data(), 0, sizeof(float)));
    check_cuda(cudaMemset(workspace->data(), 1, static_cast<size_t>(convolution.workspace_bytes())));
    check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    run();
    check_cuda(cudaStreamEndCapture(stream, &graph));
  }
  EXPECT_EQ(y.download()[0], 0);
  check_cuda(cudaGraphInstantiate(&executable, graph, 0));
  check_cuda(cudaGraphLaunch(executable, stream));
  check_cuda(cudaStreamSynchronize(stream));
  EXPECT_EQ(y.download()[0], 6);
  EXPECT_EQ(workspace->download()[0], 0xff);
  check_cuda(cudaGraphExecDestroy(executable));
  check_cuda(cudaGraphDestroy(graph));
  check_cuda(cudaStreamDestroy(stream));
}

TEST(StandInConvolution, RefusesAFirstCallThatIsCaptured) {
  const ConvolutionSpec spec = one_pixel(Precision::Fp32);
  Elements x(spec.precision, {3}), weights(spec.precision, {2}), y(spec.precision, {0});
  Libraries libraries({});
  Convolution convolution(libraries, spec);
  DeviceArray<unsigned char> workspace(convolution.workspace_bytes());
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  EXPECT_EQ(kind_of([&] {
              convolution.run(x.data(), weights.data(), nullptr, nullptr, y.data(), workspace.data(), stream);
            }),
            ErrorKind::Device);
  check_cuda(cudaStreamEndCapture(stream, &graph));
  check_cuda(cudaGraphDestroy(graph));
  check_cuda(cudaStreamDestroy(stream));
}

TEST(StandInConvolution, OutlivingItsLibraryIsAFault) {
  auto libraries = std::make_unique<Libraries>(LibraryOptions{});
  auto convolution = std::make_unique<Convolution>(*libraries, one_pixel(Precision::Fp32));
  libraries.reset();
  convolution.reset();
  const std::vector<std::string> faults = emulation::take_faults();
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0], "cuDNN's 1 x 1 convolution is destroyed when the library's handle is gone");
}

}  // namespace
}  // namespace tyto::cuda
