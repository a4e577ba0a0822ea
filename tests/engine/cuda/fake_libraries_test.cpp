// The wrappers of cuDNN and cuBLASLt, with libraries in their place that do as they are told
// (fake_libraries/), on the emulated device. library_calls_test.cpp runs beside it.
#include <gtest/gtest.h>

#include <cstdlib>

#include "emulation/emulation.h"
#include "emulation/library_call.h"
#include "engine/cuda/convolution.h"
#include "engine/cuda/libraries.h"
#include "engine/cuda/libraries/stopwatch.h"
#include "engine/cuda/matrix_product.h"
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

TEST(FakeLibraries, AreTunedOnceAndKnownAfterwards) {
  const TemporaryFolder folder;
  ConvolutionSpec s;
  s.n = s.kernel = 1;
  s.height = s.width = s.out_height = s.out_width = 2;
  s.channels = s.outputs = 8;
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

}  // namespace
}  // namespace tyto::cuda
