// The runtime's C functions for streams.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <utility>

#include "emulation/runtime/call.h"
#include "emulation/runtime/device.h"
#include "emulation/runtime/stream.h"

namespace emulation::runtime {
namespace {

cudaError_t create_stream(const char* name, cudaStream_t* stream, unsigned flags, int priority) {
  return call(name, [&] {
    require(stream != nullptr && flags <= cudaStreamNonBlocking, cudaErrorInvalidValue);
    CUstream_st created;
    created.device = current_device();
    created.blocking = flags != cudaStreamNonBlocking;
    created.priority = priority;
    *stream = streams().add(std::move(created));
  });
}

// The stream becomes a part of the event's capture.
void join(CUstream_st& stream, const Captured& event) {
  require(!event.capture->ended, cudaErrorCapturedEvent);
  require(!is_default(stream), cudaErrorStreamCaptureImplicit);
  Captured& captured = stream.captured;
  if (captured.capture && captured.capture != event.capture)
    end_capture(*captured.capture, cudaErrorStreamCaptureMerge);
  captured.capture = event.capture;
  for (size_t node : event.after)
    if (std::find(captured.after.begin(), captured.after.end(), node) == captured.after.end())
      captured.after.push_back(node);
}

}  // namespace
}  // namespace emulation::runtime

using namespace emulation::runtime;

extern "C" {

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return create_stream("cudaStreamCreate", stream, cudaStreamDefault, 0);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return create_stream("cudaStreamCreateWithFlags", stream, flags, 0);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  return create_stream("cudaStreamCreateWithPriority", stream, flags, priority);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return call("cudaDeviceGetStreamPriorityRange", [&] {
    if (least) *least = 0;
    if (greatest) *greatest = -5;
  });
}

// Its pending work stays, as CUDA has it.
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return giving_back("cudaStreamDestroy", [&] {
    require(streams().contains(stream), cudaErrorInvalidResourceHandle);
    refuse_in_capture(*stream);
    streams().remove(stream);
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return call("cudaStreamSynchronize", [&] {
    const CUstream_st& stream = stream_of(handle);
    refuse_in_capture(stream);
    refuse_default_in_capture(stream);
    ++emulation::runtime::counts().host_synchronisations;
    wait_for(stream.last);
    require_sound(stream.device);
  });
}

// Each question lets one more piece of work be done, so that asking comes to an end.
cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return call("cudaStreamQuery", [&] {
    const CUstream_st& stream = stream_of(handle);
    refuse_in_capture(stream);
    if (!pending(stream.last)) return host_knows(stream.last);
    advance_towards(stream.last);
    require_sound(stream.device);
    refuse(cudaErrorNotReady);
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t waiting, cudaEvent_t handle, unsigned) {
  return call("cudaStreamWaitEvent", [&] {
    CUstream_st& stream = stream_of(waiting);
    const CUevent_st& event = event_of(handle);
    if (event.captured.capture) return join(stream, event.captured);
    if (stream.captured.capture) end_capture(*stream.captured.capture, cudaErrorStreamCaptureIsolation);
    refuse_default_in_capture(stream);
    std::vector<OperationId> after = predecessors(stream);
    after.push_back(event.recorded);
    stream.last = give(stream.device, std::make_shared<Work>(), after);
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return call("cudaLaunchHostFunc", [&] {
    require(function != nullptr, cudaErrorInvalidValue);
    append(stream_of(stream), {"a host function", {}, {}, [=] { function(data); }});
  });
}

}  // extern "C"
