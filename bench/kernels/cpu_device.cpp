#include <omp.h>

#include "bench/kernels/device.h"
#include "engine/cpu/instruction_set.h"

namespace tyto::bench {
namespace {

class CpuArrays : public Arrays {
  void* place(Tensor& tensor) override { return tensor.data(); }
  // What oneDNN asks for in most networks: nChw16c.
  int64_t channel_block(int64_t channels) const override { return channels % 16 == 0 ? 16 : 1; }
};

class Cpu : public Device {
 public:
  explicit Cpu(int threads) : context_({.device = "cpu", .threads = threads}) {
    omp_set_num_threads(threads > 0 ? threads : cpu::physical_cores());
  }
  std::string name() const override { return "cpu"; }
  Peaks measure_peaks() override { return context_.measure_peaks(Precision::Fp32); }
  std::unique_ptr<Arrays> new_arrays() override { return std::make_unique<CpuArrays>(); }
  std::function<double()> timed(const Work& work) override {
    work.cpu();  // what it keeps between calls is made, pages are touched
    return [&work] { return work.cpu(); };
  }

 private:
  Context context_;
};

}  // namespace

std::unique_ptr<Device> make_cpu(int threads) { return std::make_unique<Cpu>(threads); }

}  // namespace tyto::bench
