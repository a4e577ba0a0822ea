#include "support/batch_invariance.h"

#include "engine/cpu/instruction_set.h"

namespace tyto {
namespace {

TEST(CpuBackend, GivesASampleTheSameBitsWhateverStandsBesideIt) {
  for (const int threads : {1, 2}) {
    Context context({.device = "cpu", .threads = threads});
    expect_samples_hang_on_nothing_else(context, Precision::Fp32);
    if (cpu::has_bf16()) expect_samples_hang_on_nothing_else(context, Precision::Bf16);
  }
}

}  // namespace
}  // namespace tyto
