// The wrappers of cuDNN and cuBLASLt, with libraries in their place that do as they are told
// (fake_libraries/), on the emulated device. library_calls_test.cpp runs beside it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "emulation/emulation.h"
#include "emulation/library_call.h"
#include "engine/cuda/convolution.h"
#include "engine/cuda/cudnn/operation_names.h"
#include "engine/cuda/libraries.h"
#include "engine/cuda/libraries/shared_library.h"
#include "engine/cuda/libraries/stopwatch.h"
#include "engine/cuda/matrix_product.h"
#include "files/file.h"
#include "support/temporary_folder.h"

namespace tyto::cuda {
namespace {

// Before the first library is sought.
[[maybe_unused]] const int kFolderIsNamed = setenv("TYTO_CUDA_LIBRARIES", TYTO_FAKE_LIBRARIES, 1);

class FaultsFail : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo&) override {
    for (const std::string& fault : emulation::take_faults()) ADD_FAILURE() << fault;
  }
};
[[maybe_unused]] const bool kFaultsFail = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new FaultsFail);
  return true;
}();

TEST(Stopwatch, TimesTheWorkAndAllOfIt) {
  Stopwatch stopwatch;
  int runs = 0;
  const float milliseconds = stopwatch.time([&](cudaStream_t stream) {
    emulation::enqueue_library_call(stream, {"work", {}, {}, [&] {
                                               ++runs;
                                               timespec pause = {0, 2'000'000};
                                               nanosleep(&pause, nullptr);
                                             }});
  });
  EXPECT_GE(milliseconds, 2);
  EXPECT_GT(runs, 1);
}

int64_t heuristics_asked() {
  static const SharedLibrary cudnn("the fake", "libcudnn_graph.so.9");
  return reinterpret_cast<int64_t (*)()>(cudnn.symbol("fake_cudnn_heuristics_asked"))();
}

ConvolutionSpec pointwise(int64_t n, int64_t height, int64_t width) {
  ConvolutionSpec s;
  s.n = n;
  s.height = s.out_height = height;
  s.width = s.out_width = width;
  s.channels = s.outputs = 8;
  return s;
}

TEST(FakeLibraries, AreTunedOnceAndKnownAfterwards) {
  const TemporaryFolder folder;
  ConvolutionSpec s = pointwise(1, 2, 2);
  LibraryOptions options;
  options.autotune = true;
  options.cache = folder / "tuning.json";
  std::string algorithm, product;
  for (const Precision precision : {Precision::Fp32, Precision::Fp16})
    for (const bool known : {false, true}) {
      Libraries libraries(options);
      s.precision = precision;
      const int64_t before = emulation::runtime_counts().library_calls;
      const Convolution convolution(libraries, s);
      const MatrixProduct matrix_product(libraries,
                                         {.precision = precision, .rows = 2, .inputs = 8, .outputs = 8});
      if (known) {
        EXPECT_EQ(emulation::runtime_counts().library_calls, before);
        EXPECT_EQ(convolution.algorithm(), algorithm);
        EXPECT_EQ(matrix_product.algorithm(), product);
      } else {
        EXPECT_GT(emulation::runtime_counts().library_calls, before);
      }
      algorithm = convolution.algorithm();
      product = matrix_product.algorithm();
    }
}

TEST(FakeLibraries, AreAskedOnceForALayerOfAllSizes) {
  Libraries libraries(LibraryOptions{});
  const int64_t before = heuristics_asked();
  const Convolution first(libraries, pointwise(1, 2, 2));
  EXPECT_EQ(heuristics_asked(), before + 1);
  for (const ConvolutionSpec& size : {pointwise(1, 2, 2), pointwise(3, 2, 2), pointwise(1, 5, 7)})
    EXPECT_EQ(Convolution(libraries, size).algorithm(), first.algorithm());
  EXPECT_EQ(heuristics_asked(), before + 1);
  ConvolutionSpec other = pointwise(1, 2, 2);
  other.relu = true;
  const Convolution another_layer(libraries, other);
  EXPECT_EQ(heuristics_asked(), before + 2);
  Libraries others(LibraryOptions{});
  const Convolution another_context(others, pointwise(1, 2, 2));
  EXPECT_EQ(heuristics_asked(), before + 3);
}

// The second engine's workspace grows with the input.
TEST(FakeLibraries, AreAskedAgainWhereAChoiceDoesNotServeASize) {
  const ConvolutionSpec small = pointwise(1, 2, 2), large = pointwise(1, 4, 4), larger = pointwise(1, 5, 5);
  LibraryOptions options;
  options.workspace_limit = 2 * 2 * 8 * 4;
  Libraries libraries(options);
  const int64_t before = heuristics_asked();
  const std::string first = Convolution(libraries, small).algorithm();
  const std::string second = Convolution(libraries, large).algorithm();
  EXPECT_NE(second, first);
  EXPECT_EQ(heuristics_asked(), before + 2);
  EXPECT_EQ(Convolution(libraries, larger).algorithm(), second);
  EXPECT_EQ(Convolution(libraries, small).algorithm(), first);
  EXPECT_EQ(heuristics_asked(), before + 2);
}

TEST(FakeLibraries, ASizeThatTheTuningCacheKnowsHasItsOwnChoice) {
  const TemporaryFolder folder;
  LibraryOptions options;
  options.autotune = true;
  options.cache = folder / "tuning.json";
  const ConvolutionSpec first = pointwise(1, 2, 2), other = pointwise(1, 3, 3);
  std::string chosen;
  {
    Libraries libraries(options);
    chosen = Convolution(libraries, first).algorithm();
    EXPECT_EQ(Convolution(libraries, other).algorithm(), chosen) << "the first size's";
  }
  const std::string one = "engine 1 {2:11}", two = "engine 2 {2:12}",
                    unlike = chosen == "cudnn " + one ? two : one;
  std::string text = read_text(options.cache, 1 << 20);
  const std::string key = name_of(first);
  ASSERT_NE(text.find(key), std::string::npos);
  ASSERT_EQ(text.find(name_of(other)), std::string::npos);
  text.insert(text.find('"' + key), fmt::format("\"{}\": \"{}\", ", name_of(other), unlike));
  write_text(options.cache, text);

  Libraries libraries(options);
  EXPECT_EQ(Convolution(libraries, first).algorithm(), chosen);
  EXPECT_EQ(Convolution(libraries, other).algorithm(), "cudnn " + unlike);
}

}  // namespace
}  // namespace tyto::cuda
