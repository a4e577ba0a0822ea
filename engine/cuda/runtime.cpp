#include "engine/cuda/runtime.h"

#include <fmt/format.h>

#include "tyto/error.h"

namespace tyto::cuda {

void check(cudaError_t error, const std::string& action) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // what is no lasting damage must not be reported again by a later call
  throw Error(error == cudaErrorMemoryAllocation ? ErrorKind::Memory : ErrorKind::Device,
              fmt::format("could not {}: {}", action, cudaGetErrorString(error)));
}

namespace {

// Whether the process has opened the device; the runtime has no word for that. (A CUdevice is the device's
// number.)
bool is_open(int device) {
  using GetState = int (*)(int device, unsigned* flags, int* active);
  constexpr unsigned kSince = 7000;  // CUDA 7.0
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  if (cudaGetDriverEntryPointByVersion("cuDevicePrimaryCtxGetState", &function, kSince, cudaEnableDefault,
                                       &found) != cudaSuccess ||
      found != cudaDriverEntryPointSuccess)
    return false;
  unsigned flags = 0;
  int active = 0;
  return reinterpret_cast<GetState>(function)(device, &flags, &active) == 0 && active != 0;
}

// The calling thread's device, if it is another and open. (In a thread that never chose one it is the first.)
std::optional<int> other_open_device(int than) {
  int current = than;
  if (cudaGetDevice(&current) != cudaSuccess || current == than || !is_open(current)) return std::nullopt;
  return current;
}

}  // namespace

DeviceScope::DeviceScope(int device) : before_(other_open_device(device)) {
  check(cudaSetDevice(device), fmt::format("use CUDA device {}", device));
}

DeviceScope::DeviceScope(int device, std::nothrow_t) noexcept : before_(other_open_device(device)) {
  cudaSetDevice(device);
}

DeviceScope::~DeviceScope() {
  if (before_) cudaSetDevice(*before_);
}

Stream::Stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "make a CUDA stream");
  handle_.reset(stream);
}

void Stream::wait() const { check(cudaStreamSynchronize(*this), "finish the work on a CUDA stream"); }

Event::Event(unsigned flags) {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, flags), "make a CUDA event");
  handle_.reset(event);
}

void Event::record(cudaStream_t stream) const {
  check(cudaEventRecord(handle_.get(), stream), "record a CUDA event");
}

void Event::make_wait(cudaStream_t stream) const {
  check(cudaStreamWaitEvent(stream, handle_.get(), 0), "make a CUDA stream wait");
}

void Event::wait() const { check(cudaEventSynchronize(handle_.get()), "finish the work on the GPU"); }

float TimedEvent::milliseconds_since(const TimedEvent& earlier) const {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, earlier.handle(), handle()), "read the time between CUDA events");
  return milliseconds;
}

DeviceBuffer::DeviceBuffer(int64_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  void* p = nullptr;
  check(cudaMalloc(&p, static_cast<size_t>(bytes)), fmt::format("allocate {} bytes on the GPU", bytes));
  data_.reset(static_cast<std::byte*>(p));
}

PinnedBuffer::PinnedBuffer(int64_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  void* p = nullptr;
  check(cudaMallocHost(&p, static_cast<size_t>(bytes)),
        fmt::format("allocate {} bytes of page-locked memory", bytes));
  data_.reset(static_cast<std::byte*>(p));
}

CapturedGraph::Capture::Capture(cudaStream_t stream) : stream_(stream) {
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
        "begin the capture of a CUDA graph");
}

CapturedGraph::Capture::~Capture() {
  if (!open_) return;
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(stream_, &graph);
  if (graph) cudaGraphDestroy(graph);
}

CapturedGraph CapturedGraph::Capture::finish() {
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream_, &graph), "capture a CUDA graph");
  open_ = false;
  cudaGraphExec_t executable = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(error, "instantiate a CUDA graph");
  CapturedGraph result;
  result.handle_.reset(executable);
  return result;
}

void CapturedGraph::launch(cudaStream_t stream) const {
  check(cudaGraphLaunch(handle_.get(), stream), "launch a CUDA graph");
}

}  // namespace tyto::cuda
