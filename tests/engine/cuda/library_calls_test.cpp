// Convolution and MatrixProduct against loops in double. Linked to cuDNN and cuBLASLt it needs a GPU; linked
// to the emulated device's stand-ins it needs none.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <optional>
#include <random>
#include <vector>

#include "engine/cuda/convolution.h"
#include "engine/cuda/libraries.h"
#include "engine/cuda/matrix_product.h"
#include "engine/cuda/runtime.h"
#include "kernels/cuda/device_array.h"
#include "support/temporary_folder.h"

namespace tyto::cuda {
namespace {

using kernels::DeviceArray, kernels::floats, kernels::rounded;

using Floats = std::vector<float>;

Floats random_values(int64_t size, uint32_t seed, float scale = 1) {
  std::minstd_rand random(seed);
  std::uniform_real_distribution<float> values(-scale, scale);
  Floats out(static_cast<size_t>(size));
  for (float& v : out) v = values(random);
  return out;
}

// A sum of products in double, and the sum of their magnitudes, by which rounding grows.
struct Sum {
  double value = 0, magnitude = 0;
  void add(double term) {
    value += term;
    magnitude += std::abs(term);
  }
};

// What rounding may do to a sum of `terms` products: fp32 additions, which tensor cores truncate (2^-23),
// tf32's operands of 11 bits (2^-11 each), and the result's own rounding.
double bound(Precision precision, int64_t terms, const Sum& sum) {
  const double products = precision == Precision::Tf32 ? std::ldexp(1, -10) : 0;
  const double result = precision == Precision::Fp16   ? std::ldexp(1, -11)
                        : precision == Precision::Bf16 ? std::ldexp(1, -8)
                                                       : 0;
  return sum.magnitude * (static_cast<double>(terms + 4) * std::ldexp(1, -23) + products) +
         std::abs(sum.value) * result + std::ldexp(1, -24);
}

// Calls body with the element type of the precision.
template <class Body>
void with_type(Precision precision, const Body& body) {
  switch (activation_type(precision)) {
    case DType::F16:
      return body.template operator()<__half>();
    case DType::BF16:
      return body.template operator()<__nv_bfloat16>();
    default:
      return body.template operator()<float>();
  }
}

class LibraryCalls : public testing::TestWithParam<Precision> {
 protected:
  void SetUp() override {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) GTEST_SKIP() << "there is no GPU";
    libraries.emplace(LibraryOptions{});
  }

  std::optional<Libraries> libraries;
};

struct ConvolutionData {
  Floats x, weights, bias, residual;
};

Sum convolved(const ConvolutionSpec& s, const ConvolutionData& d, int64_t n, int64_t i, int64_t j,
              int64_t k) {
  const int64_t group_in = s.channels / s.groups, group = k / (s.outputs / s.groups);
  Sum sum;
  for (int64_t r = 0; r < s.kernel; ++r)
    for (int64_t t = 0; t < s.kernel; ++t) {
      const int64_t row = i * s.stride + r * s.dilation - s.padding,
                    column = j * s.stride + t * s.dilation - s.padding;
      if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
      for (int64_t c = 0; c < group_in; ++c)
        sum.add(static_cast<double>(d.x[static_cast<size_t>(
                    ((n * s.height + row) * s.width + column) * s.channels + group * group_in + c)]) *
                d.weights[static_cast<size_t>(((k * s.kernel + r) * s.kernel + t) * group_in + c)]);
    }
  if (s.residual)
    sum.add(d.residual[static_cast<size_t>(((n * s.out_height + i) * s.out_width + j) * s.outputs + k)]);
  if (s.bias) sum.add(d.bias[static_cast<size_t>(k)]);
  return sum;
}

ConvolutionSpec spec_of(int64_t n, std::array<int64_t, 2> size, int64_t channels, int64_t outputs, int kernel,
                        int stride = 1, int padding = 0, int dilation = 1, int groups = 1) {
  ConvolutionSpec s;
  s.n = n;
  s.height = size[0];
  s.width = size[1];
  s.channels = channels;
  s.outputs = outputs;
  s.kernel = kernel;
  s.stride = stride;
  s.padding = padding;
  s.dilation = dilation;
  s.groups = groups;
  const auto out = [&](int64_t in) { return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1; };
  s.out_height = out(s.height);
  s.out_width = out(s.width);
  return s;
}

template <class T>
struct ConvolutionOnDevice {
  ConvolutionOnDevice(Libraries& libraries, const ConvolutionSpec& given)
      : spec(given),
        convolution(libraries, given),
        x(rounded<T>(random_values(spec.n * spec.height * spec.width * spec.channels, 1))),
        weights(rounded<T>(
            random_values(spec.outputs * spec.kernel * spec.kernel * spec.channels / spec.groups, 2, 0.2f))),
        bias(rounded<T>(random_values(spec.bias ? spec.outputs : 0, 3))),
        residual(rounded<T>(random_values(spec.residual ? out_size() : 0, 4))),
        y(out_size()),
        workspace(convolution.workspace_bytes()) {}

  int64_t out_size() const { return spec.n * spec.out_height * spec.out_width * spec.outputs; }

  Floats run() {
    kernels::check_cuda(
        cudaDeviceSynchronize());  // uploads may be under way, and the stream does not wait for them
    convolution.run(x.data(), weights.data(), bias.data(), residual.data(), y.data(), workspace.data(),
                    stream);
    stream.wait();
    return floats(y.download());
  }

  ConvolutionData data() const {
    return {floats(x.download()), floats(weights.download()), floats(bias.download()),
            floats(residual.download())};
  }

  const ConvolutionSpec spec;
  Convolution convolution;
  DeviceArray<T> x, weights, bias, residual, y;
  DeviceBuffer workspace;
  Stream stream;
};

void expect_right(const ConvolutionSpec& s, const ConvolutionData& d, const Floats& y,
                  const std::string& algorithm) {
  const int64_t terms = s.kernel * s.kernel * s.channels / s.groups + 2;
  size_t at = 0;
  double worst = 0;
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t i = 0; i < s.out_height; ++i)
      for (int64_t j = 0; j < s.out_width; ++j)
        for (int64_t k = 0; k < s.outputs; ++k, ++at) {
          const Sum sum = convolved(s, d, n, i, j, k);
          const double want = s.relu ? std::max(sum.value, 0.0) : sum.value;
          worst = std::max(worst, std::abs(y[at] - want) / bound(s.precision, terms, sum));
        }
  EXPECT_LE(worst, 1) << algorithm << ", " << s.channels << " -> " << s.outputs << " channels, kernel "
                      << s.kernel;
}

std::vector<ConvolutionSpec> convolution_cases(Precision precision) {
  std::vector<ConvolutionSpec> cases = {spec_of(2, {5, 7}, 8, 16, 1),
                                        spec_of(2, {14, 9}, 64, 64, 3, 1, 1),
                                        spec_of(1, {29, 23}, 4, 64, 7, 2, 3),
                                        spec_of(2, {29, 23}, 4, 24, 3, 2, 1),
                                        spec_of(1, {19, 19}, 32, 48, 3, 1, 6, 6),
                                        spec_of(3, {7, 5}, 24, 21, 3, 1, 1),
                                        spec_of(5, {1, 1}, 72, 24, 1),
                                        spec_of(2, {8, 8}, 64, 64, 3, 1, 1, 1, 4),
                                        spec_of(2, {3, 3}, 128, 256, 3),
                                        spec_of(1, {13, 13}, 40, 120, 1, 2)};
  for (ConvolutionSpec& s : cases) s.precision = precision;
  return cases;
}

TEST_P(LibraryCalls, ConvolutionsEqualTheSumInEveryEpilogue) {
  for (const ConvolutionSpec& given : convolution_cases(GetParam()))
    for (int epilogue = 0; epilogue < 4; ++epilogue)
      with_type(GetParam(), [&]<class T>() {
        ConvolutionSpec s = given;
        s.bias = epilogue > 0;
        s.relu = epilogue > 1;
        s.residual = epilogue == 3;
        ConvolutionOnDevice<T> device(*libraries, s);
        expect_right(s, device.data(), device.run(), device.convolution.algorithm());
      });
}

// fp32 is no tf32: with few terms a rounded operand would show.
TEST_P(LibraryCalls, ResultsAreAsExactAsThePrecision) {
  ConvolutionSpec s = spec_of(4, {16, 16}, 8, 64, 1);
  s.precision = GetParam();
  with_type(GetParam(), [&]<class T>() {
    ConvolutionOnDevice<T> device(*libraries, s);
    expect_right(s, device.data(), device.run(), device.convolution.algorithm());
  });
}

TEST_P(LibraryCalls, AConvolutionRunsAgainOnOtherMemory) {
  ConvolutionSpec s = spec_of(2, {14, 9}, 64, 32, 3, 1, 1);
  s.precision = GetParam();
  s.bias = s.relu = true;
  with_type(GetParam(), [&]<class T>() {
    ConvolutionOnDevice<T> device(*libraries, s);
    const Floats first = device.run();
    DeviceArray<T> other(device.out_size());
    device.convolution.run(device.x.data(), device.weights.data(), device.bias.data(), nullptr, other.data(),
                           device.workspace.data(), device.stream);
    device.stream.wait();
    EXPECT_EQ(floats(other.download()), first);
  });
}

TEST_P(LibraryCalls, AnImageHasTheSameBitsWhateverItsPlace) {
  for (ConvolutionSpec s : {spec_of(8, {14, 9}, 64, 64, 3, 1, 1), spec_of(8, {29, 23}, 4, 64, 7, 2, 3),
                            spec_of(8, {8, 4}, 512, 512, 3, 1, 1), spec_of(8, {8, 4}, 2048, 512, 1)}) {
    s.precision = GetParam();
    with_type(GetParam(), [&]<class T>() {
      ConvolutionOnDevice<T> device(*libraries, s);
      const Floats straight = device.run();
      Floats images = floats(device.x.download());
      std::rotate(images.begin(), images.begin() + static_cast<int64_t>(images.size()) / s.n * 3,
                  images.end());
      const std::vector<T> rotated = rounded<T>(images);
      ASSERT_EQ(
          cudaMemcpy(device.x.data(), rotated.data(), rotated.size() * sizeof(T), cudaMemcpyHostToDevice),
          cudaSuccess);
      Floats want = straight;
      std::rotate(want.begin(), want.begin() + static_cast<int64_t>(want.size()) / s.n * 3, want.end());
      EXPECT_EQ(device.run(), want) << device.convolution.algorithm();
    });
  }
}

TEST_P(LibraryCalls, AConvolutionMayBeCaptured) {
  ConvolutionSpec s = spec_of(2, {14, 9}, 64, 64, 3, 1, 1);
  s.precision = GetParam();
  s.bias = s.relu = s.residual = true;
  with_type(GetParam(), [&]<class T>() {
    ConvolutionOnDevice<T> device(*libraries, s);
    const Floats want = device.run();
    const CapturedGraph graph = CapturedGraph::capture(device.stream, [&] {
      device.convolution.run(device.x.data(), device.weights.data(), device.bias.data(),
                             device.residual.data(), device.y.data(), device.workspace.data(), device.stream);
    });
    ASSERT_EQ(cudaMemset(device.y.data(), 0xff, static_cast<size_t>(device.out_size()) * sizeof(T)),
              cudaSuccess);
    kernels::check_cuda(cudaDeviceSynchronize());
    graph.launch(device.stream);
    device.stream.wait();
    EXPECT_EQ(floats(device.y.download()), want);
  });
}

template <class T>
struct ProductOnDevice {
  ProductOnDevice(Libraries& libraries, const MatrixProductSpec& given)
      : spec(given),
        product(libraries, given),
        x(rounded<T>(random_values(spec.rows * spec.inputs, 1))),
        weights(rounded<T>(random_values(spec.outputs * spec.inputs, 2, 0.2f))),
        bias(rounded<T>(random_values(spec.bias ? spec.outputs : 0, 3))),
        y(spec.rows * spec.outputs),
        workspace(product.workspace_bytes()) {}

  Floats run() {
    kernels::check_cuda(
        cudaDeviceSynchronize());  // uploads may be under way, and the stream does not wait for them
    product.run(x.data(), weights.data(), bias.data(), y.data(), workspace.data(), stream);
    stream.wait();
    return floats(y.download());
  }

  const MatrixProductSpec spec;
  MatrixProduct product;
  DeviceArray<T> x, weights, bias, y;
  DeviceBuffer workspace;
  Stream stream;
};

TEST_P(LibraryCalls, MatrixProductsEqualTheSumInEveryEpilogue) {
  for (const auto& [rows, inputs, outputs] : std::vector<std::array<int64_t, 3>>{{1, 2048, 512},
                                                                                 {8, 512, 751},
                                                                                 {5, 8, 16},
                                                                                 {3, 1280, 1000},
                                                                                 {16, 64, 1},
                                                                                 {7, 9, 5},
                                                                                 {1, 25088, 64}})
    for (int epilogue = 0; epilogue < 4; ++epilogue)
      with_type(GetParam(), [&, rows = rows, inputs = inputs, outputs = outputs]<class T>() {
        const MatrixProductSpec s = {GetParam(),         rows, inputs, outputs, (epilogue & 1) != 0,
                                     (epilogue & 2) != 0};
        ProductOnDevice<T> device(*libraries, s);
        const Floats x = floats(device.x.download()), weights = floats(device.weights.download()),
                     bias = floats(device.bias.download()), y = device.run();
        double worst = 0;
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t k = 0; k < outputs; ++k) {
            Sum sum;
            for (int64_t c = 0; c < inputs; ++c)
              sum.add(static_cast<double>(x[static_cast<size_t>(i * inputs + c)]) *
                      weights[static_cast<size_t>(k * inputs + c)]);
            if (s.bias) sum.add(bias[static_cast<size_t>(k)]);
            const double want = s.relu ? std::max(sum.value, 0.0) : sum.value;
            worst = std::max(worst, std::abs(y[static_cast<size_t>(i * outputs + k)] - want) /
                                        bound(s.precision, inputs + 1, sum));
          }
        EXPECT_LE(worst, 1) << device.product.algorithm() << ", " << rows << " x " << inputs << " -> "
                            << outputs;
      });
}

TEST_P(LibraryCalls, ARowHasTheSameBitsWhateverItsPlace) {
  for (const auto& [rows, inputs, outputs] :
       std::vector<std::array<int64_t, 3>>{{8, 2048, 512}, {8, 25088, 4096}, {8, 1280, 1000}, {5, 512, 751}})
    with_type(GetParam(), [&, rows = rows, inputs = inputs, outputs = outputs]<class T>() {
      ProductOnDevice<T> device(*libraries, {GetParam(), rows, inputs, outputs, true, true});
      Floats want = device.run(), x = floats(device.x.download());
      std::rotate(x.begin(), x.begin() + inputs * 3, x.end());
      std::rotate(want.begin(), want.begin() + outputs * 3, want.end());
      const std::vector<T> rotated = rounded<T>(x);
      kernels::check_cuda(
          cudaMemcpy(device.x.data(), rotated.data(), rotated.size() * sizeof(T), cudaMemcpyHostToDevice));
      EXPECT_EQ(device.run(), want) << device.product.algorithm();
    });
}

TEST_P(LibraryCalls, AutotuningKeepsWhatItFound) {
  const TemporaryFolder folder;
  ConvolutionSpec s = spec_of(8, {28, 28}, 128, 128, 3, 1, 1);
  s.precision = GetParam();
  s.bias = s.relu = true;
  const MatrixProductSpec m = {GetParam(), 8, 2048, 512, true, false};
  std::vector<std::string> notices;
  LibraryOptions options;
  options.autotune = true;
  options.cache = folder / "tuning.json";
  options.notice = [&](const std::string& text) { notices.push_back(text); };
  with_type(GetParam(), [&]<class T>() {
    std::string convolution, product;
    for (int run = 0; run < 2; ++run) {
      Libraries tuned(options);
      ConvolutionOnDevice<T> device(tuned, s);
      expect_right(s, device.data(), device.run(), device.convolution.algorithm());
      const MatrixProduct p(tuned, m);
      if (run > 0) {
        EXPECT_EQ(device.convolution.algorithm(), convolution);
        EXPECT_EQ(p.algorithm(), product);
      }
      convolution = device.convolution.algorithm();
      product = p.algorithm();
    }
  });
  EXPECT_TRUE(notices.empty()) << notices[0];
}

INSTANTIATE_TEST_SUITE_P(Precisions, LibraryCalls,
                         testing::Values(Precision::Fp32, Precision::Tf32, Precision::Fp16, Precision::Bf16),
                         [](const auto& precision) { return name_of(precision.param); });

TEST(Libraries, SayWhatTheyAre) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) GTEST_SKIP() << "there is no GPU";
  const auto parts = Libraries(LibraryOptions{}).describe();
  ASSERT_FALSE(parts.empty());
  for (const auto& [name, value] : parts) std::cout << name << ": " << value << '\n';
}

}  // namespace
}  // namespace tyto::cuda
