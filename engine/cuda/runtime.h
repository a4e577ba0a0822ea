// The CUDA runtime's objects as types that own them. Each belongs to the device that was current when it was
// made.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

namespace tyto::cuda {

// Error{Device}, or Error{Memory} where memory is what lacks: "could not ACTION: REASON".
void check(cudaError_t error, const std::string& action);

// The calling thread's device while this lives. Then it is again the one that was before; but for one that
// the process has never opened, which making it current would do: memory is taken there, and one that is
// another's alone refuses.
class DeviceScope {
 public:
  explicit DeviceScope(int device);  // Error{Device}
  DeviceScope(int device,
              std::nothrow_t) noexcept;  // in destructors; what fails shows in the calls that follow
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  std::optional<int> before_;
};

namespace detail {

struct DestroyStream {
  void operator()(cudaStream_t s) const { cudaStreamDestroy(s); }
};
struct DestroyEvent {
  void operator()(cudaEvent_t e) const { cudaEventDestroy(e); }
};
struct DestroyGraph {
  void operator()(cudaGraphExec_t g) const { cudaGraphExecDestroy(g); }
};
struct FreeDevice {
  void operator()(std::byte* p) const { cudaFree(p); }
};
struct FreePinned {
  void operator()(std::byte* p) const { cudaFreeHost(p); }
};

template <class Handle, class Destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;

}  // namespace detail

// Work in order; not ordered with the default stream.
class Stream {
 public:
  Stream();
  operator cudaStream_t() const { return handle_.get(); }
  void wait() const;  // on the host, for all of its work

 private:
  detail::Owned<cudaStream_t, detail::DestroyStream> handle_;
};

class Event {
 public:
  Event() : Event(cudaEventDisableTiming) {}
  void record(cudaStream_t stream) const;
  void make_wait(cudaStream_t stream) const;  // later work of that stream waits for what was recorded
  void wait() const;                          // on the host

 protected:
  explicit Event(unsigned flags);
  cudaEvent_t handle() const { return handle_.get(); }

 private:
  detail::Owned<cudaEvent_t, detail::DestroyEvent> handle_;
};

// One that knows when it came; making others wait by it would cost more.
class TimedEvent : public Event {
 public:
  TimedEvent() : Event(cudaEventDefault) {}
  float milliseconds_since(const TimedEvent& earlier) const;  // both have been waited for
};

// Uninitialised memory of the device; empty for 0 bytes.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  explicit DeviceBuffer(int64_t bytes);  // Error{Memory}
  std::byte* data() const { return data_.get(); }
  int64_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<std::byte, detail::FreeDevice> data_;
  int64_t bytes_ = 0;
};

// Page-locked host memory, which copies need to be asynchronous.
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  explicit PinnedBuffer(int64_t bytes);  // Error{Memory}
  std::byte* data() const { return data_.get(); }
  int64_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<std::byte, detail::FreePinned> data_;
  int64_t bytes_ = 0;
};

// What `work` puts on `stream`, captured once to be launched as one.
class CapturedGraph {
 public:
  CapturedGraph() = default;

  template <class Work>
  static CapturedGraph capture(cudaStream_t stream, const Work& work) {
    Capture capture(stream);
    work();
    return capture.finish();
  }

  void launch(cudaStream_t stream) const;
  explicit operator bool() const { return handle_ != nullptr; }

 private:
  class Capture {  // ends, whatever `work` throws
   public:
    explicit Capture(cudaStream_t stream);
    ~Capture();
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;
    CapturedGraph finish();

   private:
    cudaStream_t stream_;
    bool open_ = true;
  };

  detail::Owned<cudaGraphExec_t, detail::DestroyGraph> handle_;
};

}  // namespace tyto::cuda
