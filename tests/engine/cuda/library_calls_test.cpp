// Convolution and MatrixProduct against loops in double. Linked to cuDNN and cuBLASLt it needs a GPU; linked
// to the emulated device's stand-ins it needs none.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <utility>
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
        a(rounded<T>(random_values(stored_a(spec).elements(), 1))),
        b(rounded<T>(random_values(stored_b(spec).elements(), 2, 0.2f))),
        bias(spec.bias ? result_bytes(random_values(spec.outputs, 3)) : std::vector<unsigned char>()),
        y(std::vector<unsigned char>(
            static_cast<size_t>(stored_y(spec).elements() * size_of(result_type(spec))), 0)),
        workspace(product.workspace_bytes()) {}

  // What lies between the rows of y stays 0.
  Floats run() {
    kernels::check_cuda(
        cudaDeviceSynchronize());  // uploads may be under way, and the stream does not wait for them
    product.run(a.data(), b.data(), spec.bias ? bias.data() : nullptr, y.data(), workspace.data(), stream);
    stream.wait();
    return result_floats(y.download());
  }

  // In the type of the result.
  std::vector<unsigned char> result_bytes(const Floats& values) const {
    std::vector<unsigned char> bytes;
    const auto copy = [&](const auto& typed) {
      bytes.resize(typed.size() * sizeof typed[0]);
      std::memcpy(bytes.data(), typed.data(), bytes.size());
    };
    spec.f32_result ? copy(values) : copy(rounded<T>(values));
    return bytes;
  }
  Floats result_floats(const std::vector<unsigned char>& bytes) const {
    Floats values(bytes.size() / static_cast<size_t>(size_of(result_type(spec))));
    if (spec.f32_result) {
      std::memcpy(values.data(), bytes.data(), bytes.size());
      return values;
    }
    std::vector<T> typed(values.size());
    std::memcpy(typed.data(), bytes.data(), bytes.size());
    return floats(typed);
  }

  const MatrixProductSpec spec;
  MatrixProduct product;
  DeviceArray<T> a, b;
  DeviceArray<unsigned char> bias, y;
  DeviceBuffer workspace;
  Stream stream;
};

size_t place(const StoredMatrices& m, int64_t item, int64_t row, int64_t column) {
  return static_cast<size_t>(item * m.item_stride + row * m.row_stride + column);
}

template <class T>
void expect_right(ProductOnDevice<T>& device) {
  const MatrixProductSpec& s = device.spec;
  const StoredMatrices in_a = stored_a(s), in_b = stored_b(s), in_y = stored_y(s);
  const Floats a = floats(device.a.download()), b = floats(device.b.download()),
               bias = device.result_floats(device.bias.download());
  Floats y = device.run();
  double worst = 0;
  for (int64_t item = 0; item < s.batch; ++item)
    for (int64_t i = 0; i < s.rows; ++i)
      for (int64_t j = 0; j < s.outputs; ++j) {
        Sum sum;
        for (int64_t k = 0; k < s.inputs; ++k)
          sum.add(static_cast<double>(s.scale) *
                  static_cast<double>(a[s.transpose_a ? place(in_a, item, k, i) : place(in_a, item, i, k)]) *
                  b[s.transpose_b ? place(in_b, item, j, k) : place(in_b, item, k, j)]);
        if (s.bias) sum.add(bias[static_cast<size_t>(j)]);
        const double want = s.relu ? std::max(sum.value, 0.0) : sum.value;
        float& got = y[place(in_y, item, i, j)];
        worst = std::max(
            worst, std::abs(got - want) /
                       bound(s.f32_result && s.precision != Precision::Tf32 ? Precision::Fp32 : s.precision,
                             s.inputs + 2, sum));
        got = 0;
      }
  EXPECT_EQ(y, Floats(y.size(), 0.0f)) << "written between the rows";
  EXPECT_LE(worst, 1) << device.product.algorithm() << ", " << s.batch << " times " << s.rows << " x "
                      << s.inputs << " -> " << s.outputs;
}

MatrixProductSpec linear(Precision precision, int64_t rows, int64_t inputs, int64_t outputs) {
  return {.precision = precision, .rows = rows, .inputs = inputs, .outputs = outputs, .transpose_b = true};
}

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
        MatrixProductSpec s = linear(GetParam(), rows, inputs, outputs);
        s.bias = (epilogue & 1) != 0;
        s.relu = (epilogue & 2) != 0;
        ProductOnDevice<T> device(*libraries, s);
        expect_right(device);
      });
}

// Strides of products whose items lie one behind the other.
MatrixProductSpec dense(MatrixProductSpec s) {
  s.a.item = s.rows * s.inputs;
  s.b.item = s.inputs * s.outputs;
  s.y.item = s.rows * s.outputs;
  return s;
}

// Of attention over `length` tokens whose q, k and v stand side by side: [length, 3 * heads * 24].
std::vector<MatrixProductSpec> attention(int64_t length, int64_t heads) {
  const int64_t width = 24, token = 3 * heads * width, map = length * length;
  MatrixProductSpec scores = {.rows = length, .inputs = width, .outputs = length, .batch = heads};
  scores.transpose_b = true;
  scores.a = scores.b = {token, width};
  scores.y.item = map;
  scores.scale = 1 / std::sqrt(24.0f);
  scores.f32_result = true;
  MatrixProductSpec values = {.rows = length, .inputs = length, .outputs = width, .batch = heads};
  values.a.item = map;
  values.b = {token, width};
  values.y = {heads * width, width};
  return {scores, values};
}

TEST_P(LibraryCalls, MatrixProductsReadAndWriteEveryLayout) {
  std::vector<MatrixProductSpec> cases = attention(17, 3);
  for (const bool transpose_a : {false, true})
    for (const bool transpose_b : {false, true})
      for (const int64_t batch : {1, 3})
        cases.push_back(dense({.rows = 5,
                               .inputs = 9,
                               .outputs = 7,
                               .batch = batch,
                               .transpose_a = transpose_a,
                               .transpose_b = transpose_b,
                               .scale = -0.5f}));
  MatrixProductSpec shared = dense({.rows = 8, .inputs = 16, .outputs = 24, .batch = 4, .transpose_b = true});
  shared.b.item = 0;
  cases.push_back(shared);
  std::swap(shared.a.item, shared.b.item);
  shared.b.item = shared.inputs * shared.outputs;
  cases.push_back(shared);
  MatrixProductSpec to_f32 = linear(GetParam(), 6, 40, 16);
  to_f32.f32_result = to_f32.bias = to_f32.relu = true;
  cases.push_back(to_f32);
  MatrixProductSpec wide = linear(GetParam(), 6, 8, 16);
  wide.a.row = 24, wide.b.row = 40, wide.y.row = 32;
  cases.push_back(wide);
  for (MatrixProductSpec& s : cases) {
    s.precision = GetParam();
    with_type(GetParam(), [&]<class T>() {
      ProductOnDevice<T> device(*libraries, s);
      expect_right(device);
    });
  }
}

TEST_P(LibraryCalls, ARowHasTheSameBitsWhateverItsPlace) {
  for (const auto& [rows, inputs, outputs] :
       std::vector<std::array<int64_t, 3>>{{8, 2048, 512}, {8, 25088, 4096}, {8, 1280, 1000}, {5, 512, 751}})
    with_type(GetParam(), [&, rows = rows, inputs = inputs, outputs = outputs]<class T>() {
      MatrixProductSpec s = linear(GetParam(), rows, inputs, outputs);
      s.bias = s.relu = true;
      ProductOnDevice<T> device(*libraries, s);
      Floats want = device.run(), x = floats(device.a.download());
      std::rotate(x.begin(), x.begin() + inputs * 3, x.end());
      std::rotate(want.begin(), want.begin() + outputs * 3, want.end());
      const std::vector<T> rotated = rounded<T>(x);
      kernels::check_cuda(
          cudaMemcpy(device.a.data(), rotated.data(), rotated.size() * sizeof(T), cudaMemcpyHostToDevice));
      EXPECT_EQ(device.run(), want) << device.product.algorithm();
    });
}

// Of a batch whose left operands are all the same, and the right ones shared.
TEST_P(LibraryCalls, AnItemHasTheSameBitsWhateverItsPlace) {
  for (const auto& [rows, inputs, outputs] :
       std::vector<std::array<int64_t, 3>>{{50, 64, 50}, {50, 50, 64}, {7, 333, 9}})
    with_type(GetParam(), [&, rows = rows, inputs = inputs, outputs = outputs]<class T>() {
      MatrixProductSpec s =
          dense({.precision = GetParam(), .rows = rows, .inputs = inputs, .outputs = outputs, .batch = 12});
      s.b.item = 0;
      s.f32_result = true;
      ProductOnDevice<T> device(*libraries, s);
      Floats a = floats(device.a.download());
      for (size_t i = static_cast<size_t>(s.a.item); i < a.size(); ++i)
        a[i] = a[i - static_cast<size_t>(s.a.item)];
      const std::vector<T> repeated = rounded<T>(a);
      kernels::check_cuda(
          cudaMemcpy(device.a.data(), repeated.data(), repeated.size() * sizeof(T), cudaMemcpyHostToDevice));
      const Floats y = device.run();
      for (int64_t item = 1; item < s.batch; ++item)
        ASSERT_TRUE(std::equal(y.begin(), y.begin() + s.y.item, y.begin() + item * s.y.item))
            << device.product.algorithm() << ", item " << item;
    });
}

TEST_P(LibraryCalls, AFurtherSizeRunsByTheFirstSizesEngine) {
  std::string algorithm;
  for (ConvolutionSpec s : {spec_of(2, {14, 9}, 64, 32, 3, 1, 1), spec_of(1, {23, 17}, 64, 32, 3, 1, 1)}) {
    s.precision = GetParam();
    s.bias = s.relu = s.residual = true;
    with_type(GetParam(), [&]<class T>() {
      ConvolutionOnDevice<T> device(*libraries, s);
      expect_right(s, device.data(), device.run(), device.convolution.algorithm());
      if (algorithm.empty()) algorithm = device.convolution.algorithm();
      EXPECT_EQ(device.convolution.algorithm(), algorithm);
    });
  }
}

TEST_P(LibraryCalls, AutotuningKeepsWhatItFound) {
  const TemporaryFolder folder;
  ConvolutionSpec s = spec_of(8, {28, 28}, 128, 128, 3, 1, 1);
  s.precision = GetParam();
  s.bias = s.relu = true;
  MatrixProductSpec m = linear(GetParam(), 8, 2048, 512);
  m.bias = true;
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
