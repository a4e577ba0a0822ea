// What autotuning keeps its findings under: operations that differ in anything have different names.
#include "engine/cuda/cudnn/operation_names.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <vector>

namespace tyto::cuda {
namespace {

template <class Spec>
void expect_different_names(const Spec& plain, const std::vector<std::function<void(Spec&)>>& changes) {
  std::set<std::string> names = {name_of(plain)};
  for (const auto& change : changes) {
    Spec changed = plain;
    change(changed);
    ASSERT_NE(changed, plain);
    EXPECT_TRUE(names.insert(name_of(changed)).second) << name_of(changed);
  }
}

TEST(OperationNames, TellEveryFieldOfAConvolution) {
  using Spec = ConvolutionSpec;
  expect_different_names<Spec>(
      {},
      {[](Spec& s) { s.precision = Precision::Tf32; }, [](Spec& s) { s.precision = Precision::Fp16; },
       [](Spec& s) { s.precision = Precision::Bf16; }, [](Spec& s) { s.n = 7; },
       [](Spec& s) { s.height = 7; }, [](Spec& s) { s.width = 7; }, [](Spec& s) { s.channels = 7; },
       [](Spec& s) { s.out_height = 7; }, [](Spec& s) { s.out_width = 7; }, [](Spec& s) { s.outputs = 7; },
       [](Spec& s) { s.kernel = 7; }, [](Spec& s) { s.stride = 7; }, [](Spec& s) { s.padding = 7; },
       [](Spec& s) { s.dilation = 7; }, [](Spec& s) { s.groups = 7; }, [](Spec& s) { s.residual = true; },
       [](Spec& s) { s.bias = true; }, [](Spec& s) { s.relu = true; }});
}

TEST(OperationNames, TellEveryFieldOfAMatrixProduct) {
  using Spec = MatrixProductSpec;
  expect_different_names<Spec>({}, {[](Spec& s) { s.precision = Precision::Tf32; },
                                    [](Spec& s) { s.precision = Precision::Fp16; },
                                    [](Spec& s) { s.precision = Precision::Bf16; },
                                    [](Spec& s) { s.rows = 7; },
                                    [](Spec& s) { s.inputs = 7; },
                                    [](Spec& s) { s.outputs = 7; },
                                    [](Spec& s) { s.batch = 7; },
                                    [](Spec& s) { s.transpose_a = true; },
                                    [](Spec& s) { s.transpose_b = true; },
                                    [](Spec& s) { s.a.row = 7; },
                                    [](Spec& s) { s.a.item = 7; },
                                    [](Spec& s) { s.b.row = 7; },
                                    [](Spec& s) { s.b.item = 7; },
                                    [](Spec& s) { s.y.row = 7; },
                                    [](Spec& s) { s.y.item = 7; },
                                    [](Spec& s) { s.scale = 0.125f; },
                                    [](Spec& s) { s.scale = 0x1.000002p-3f; },
                                    [](Spec& s) { s.f32_result = true; },
                                    [](Spec& s) { s.bias = true; },
                                    [](Spec& s) { s.relu = true; }});
}

}  // namespace
}  // namespace tyto::cuda
