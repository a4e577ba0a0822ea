// How long each launch of the device tests takes on a GPU. Where TYTO_LAUNCH_TIMES names a file, every launch
// is measured and written to it, a row a launch: kernel, blocks, threads, microseconds. scripts/gpu-check
// sets them beside the prediction.
//
// The linker puts the functions here in place of the runtime's (--wrap), so kernels and tests are those that
// are tested. A launch is repeated; before each repetition all device memory is what it was before the first,
// and a buffer larger than the L2 cache has been overwritten, so the kernel finds its data in DRAM, as the
// prediction has it. The median is written. It is the time between two events with one kernel between them:
// about a microsecond more than the kernel's own.
#include <cuda_runtime_api.h>
#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" {
cudaError_t __real_cudaLaunchKernelExC(const cudaLaunchConfig_t*, const void*, void**);
cudaError_t __real_cudaMalloc(void**, size_t);
cudaError_t __real_cudaFree(void*);
}

namespace {

constexpr int kRepetitions = 21;
constexpr int kCacheSizes = 2;  // of L2, that are overwritten

void check(cudaError_t error) {
  if (error != cudaSuccess)
    throw std::runtime_error(std::string("launch times: ") + cudaGetErrorString(error));
}

// "void a::(anonymous namespace)::class_scores_kernel<float>(float*)" -> "class_scores_kernel<float>"
std::string short_name(const void* kernel) {
  const char* mangled = nullptr;
  check(cudaFuncGetName(&mangled, kernel));
  int status = 0;
  char* demangled = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  std::string name = demangled ? demangled : mangled;
  std::free(demangled);
  const std::string anonymous = "(anonymous namespace)::";
  for (size_t at; (at = name.find(anonymous)) != std::string::npos;) name.erase(at, anonymous.size());
  size_t begin = name.starts_with("void ") ? 5 : 0, end = begin;
  for (int depth = 0; end < name.size(); ++end) {
    const char c = name[end];
    if (depth == 0 && c == '(') break;
    depth += (c == '<' || c == '(') - (c == '>' || c == ')');
    if (depth == 0 && c == ':') begin = end + 1;
  }
  return name.substr(begin, end - begin);
}

class Stopwatch {
 public:
  explicit Stopwatch(const char* path) : file_(std::fopen(path, "w")) {
    if (!file_) throw std::runtime_error(std::string("cannot write ") + path);
    std::fprintf(file_, "kernel\tblocks\tthreads\tmicroseconds\n");
    check(cudaEventCreate(&begin_));
    check(cudaEventCreate(&end_));
    int device = 0, l2_bytes = 0;
    check(cudaGetDevice(&device));
    check(cudaDeviceGetAttribute(&l2_bytes, cudaDevAttrL2CacheSize, device));
    flushed_bytes_ = static_cast<size_t>(kCacheSizes) * static_cast<size_t>(l2_bytes);
    check(__real_cudaMalloc(&flushed_, flushed_bytes_));
  }

  void allocated(void* memory, size_t bytes) { buffers_[memory] = bytes; }
  void freed(void* memory) { buffers_.erase(memory); }

  cudaError_t launch(const cudaLaunchConfig_t* config, const void* kernel, void** arguments) {
    std::vector<Copy> copies = copy_buffers();
    std::vector<float> microseconds;
    cudaError_t error = cudaSuccess;
    for (int i = 0; i < kRepetitions && error == cudaSuccess; ++i) {
      for (const Copy& c : copies)
        check(cudaMemcpyAsync(c.memory, c.copy, c.bytes, cudaMemcpyDeviceToDevice, config->stream));
      check(cudaMemsetAsync(flushed_, i, flushed_bytes_, config->stream));
      check(cudaEventRecord(begin_, config->stream));
      error = __real_cudaLaunchKernelExC(config, kernel, arguments);
      check(cudaEventRecord(end_, config->stream));
      check(cudaEventSynchronize(end_));
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, begin_, end_));
      microseconds.push_back(1e3f * milliseconds);
    }
    for (const Copy& c : copies) check(__real_cudaFree(c.copy));
    std::sort(microseconds.begin(), microseconds.end());
    const auto volume = [](dim3 d) { return static_cast<unsigned long long>(d.x) * d.y * d.z; };
    std::fprintf(file_, "%s\t%llu\t%llu\t%.3f\n", short_name(kernel).c_str(), volume(config->gridDim),
                 volume(config->blockDim), static_cast<double>(microseconds[microseconds.size() / 2]));
    std::fflush(file_);
    return error;
  }

 private:
  struct Copy {
    void *memory, *copy;
    size_t bytes;
  };

  std::vector<Copy> copy_buffers() {
    std::vector<Copy> copies;
    for (const auto& [memory, bytes] : buffers_) {
      copies.push_back({memory, nullptr, bytes});
      check(__real_cudaMalloc(&copies.back().copy, bytes));
      check(cudaMemcpy(copies.back().copy, memory, bytes, cudaMemcpyDeviceToDevice));
    }
    return copies;
  }

  std::FILE* file_;
  cudaEvent_t begin_{}, end_{};
  void* flushed_ = nullptr;
  size_t flushed_bytes_ = 0;
  std::map<void*, size_t> buffers_;  // that the test holds
};

// Lives as long as the process: its memory goes with the device's context.
Stopwatch* stopwatch() {
  static const char* path = std::getenv("TYTO_LAUNCH_TIMES");
  static Stopwatch* const it = path ? new Stopwatch(path) : nullptr;
  return it;
}

}  // namespace

extern "C" {

cudaError_t __wrap_cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* kernel,
                                       void** arguments) {
  return stopwatch() ? stopwatch()->launch(config, kernel, arguments)
                     : __real_cudaLaunchKernelExC(config, kernel, arguments);
}

cudaError_t __wrap_cudaMalloc(void** memory, size_t bytes) {
  const cudaError_t error = __real_cudaMalloc(memory, bytes);
  if (error == cudaSuccess && stopwatch()) stopwatch()->allocated(*memory, bytes);
  return error;
}

cudaError_t __wrap_cudaFree(void* memory) {
  if (memory && stopwatch()) stopwatch()->freed(memory);
  return __real_cudaFree(memory);
}
}
