// A GPU by the engine's own types. Work is captured in a graph, as in a plan, so that a launch from the host
// is not what is measured; before each run a buffer larger than the L2 cache is overwritten, so that the
// kernel finds its data in DRAM, which the bound is about.
#include "bench/kernels/device.h"
#include "engine/cuda/runtime.h"

namespace tyto::bench {
namespace {

constexpr int kCacheSizes = 2;  // of L2, that are overwritten

class CudaArrays : public Arrays {
  void* place(Tensor& tensor) override {
    cuda::DeviceBuffer& buffer = buffers_.emplace_back(tensor.bytes());
    cuda::check(
        cudaMemcpy(buffer.data(), tensor.data(), static_cast<size_t>(tensor.bytes()), cudaMemcpyHostToDevice),
        "copy to the GPU");
    return buffer.data();
  }
  int64_t channel_block(int64_t channels) const override { return channels; }  // NHWC

  std::vector<cuda::DeviceBuffer> buffers_;
};

class Cuda : public Device {
 public:
  Cuda() : context_({.device = "cuda"}) {
    int device = 0, l2_bytes = 0;
    cuda::check(cudaGetDevice(&device), "find the current GPU");
    cuda::check(cudaDeviceGetAttribute(&l2_bytes, cudaDevAttrL2CacheSize, device),
                "ask for the cache's size");
    flushed_ = cuda::DeviceBuffer(int64_t{kCacheSizes} * l2_bytes);
  }
  std::string name() const override { return "cuda"; }
  Peaks measure_peaks() override { return context_.measure_peaks(Precision::Fp32); }
  std::unique_ptr<Arrays> new_arrays() override { return std::make_unique<CudaArrays>(); }
  std::function<double()> timed(const Work& work) override {
    work.cuda(stream_);  // loads its kernels, which a capture must not
    stream_.wait();
    graph_ = cuda::CapturedGraph::capture(stream_, [&] { work.cuda(stream_); });
    return [this] {
      cuda::check(cudaMemsetAsync(flushed_.data(), 0, static_cast<size_t>(flushed_.bytes()), stream_),
                  "fill the cache");
      begin_.record(stream_);
      graph_.launch(stream_);
      end_.record(stream_);
      end_.wait();
      return double{end_.milliseconds_since(begin_)} / 1e3;
    };
  }

 private:
  Context context_;
  cuda::Stream stream_;
  cuda::TimedEvent begin_, end_;
  cuda::DeviceBuffer flushed_;
  cuda::CapturedGraph graph_;
};

}  // namespace

std::unique_ptr<Device> make_cuda() { return std::make_unique<Cuda>(); }

}  // namespace tyto::bench
