// The runtime's C functions for events.
#include <cuda_runtime_api.h>

#include <chrono>
#include <memory>
#include <utility>

#include "emulation/runtime/call.h"
#include "emulation/runtime/device.h"
#include "emulation/runtime/stream.h"

using namespace emulation::runtime;

extern "C" {

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return call("cudaEventCreateWithFlags", [&] {
    require(event != nullptr, cudaErrorInvalidValue);
    CUevent_st created;
    created.device = current_device();
    created.timed = (flags & cudaEventDisableTiming) == 0;
    *event = events().add(std::move(created));
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return giving_back("cudaEventDestroy", [&] {
    event_of(event);
    events().remove(event);
  });
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t recorded) {
  return call("cudaEventRecord", [&] {
    CUevent_st& event = event_of(handle);
    CUstream_st& stream = stream_of(recorded);
    require(event.device == stream.device, cudaErrorInvalidResourceHandle);
    if (stream.captured
            .capture) {  // no piece of work: those that wait for it follow what the stream was given
      require(stream.captured.capture->valid, cudaErrorStreamCaptureInvalidated);
      event.captured = stream.captured;
      return;
    }
    event.captured = {};
    event.time = std::make_shared<std::chrono::steady_clock::time_point>();
    append(stream, {"an event", {}, {}, [time = event.time] { *time = std::chrono::steady_clock::now(); }});
    event.recorded = stream.last;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  return call("cudaEventSynchronize", [&] {
    const CUevent_st& event = event_of(handle);
    require(!event.captured.capture, cudaErrorCapturedEvent);
    ++counts().host_synchronisations;
    wait_for(event.recorded);
    require_sound(event.device);
  });
}

// Each question lets one more piece of work be done, so that asking comes to an end.
cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return call("cudaEventQuery", [&] {
    const CUevent_st& event = event_of(handle);
    require(!event.captured.capture, cudaErrorCapturedEvent);
    if (!pending(event.recorded)) return host_knows(event.recorded);
    advance_towards(event.recorded);
    require_sound(event.device);
    refuse(cudaErrorNotReady);
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return call("cudaEventElapsedTime", [&] {
    require(milliseconds != nullptr, cudaErrorInvalidValue);
    const CUevent_st &from = event_of(start), &to = event_of(end);
    require(from.timed && to.timed && from.time && to.time && from.device == to.device,
            cudaErrorInvalidResourceHandle);
    require(!pending(from.recorded) && !pending(to.recorded), cudaErrorNotReady);
    *milliseconds = std::chrono::duration<float, std::milli>(*to.time - *from.time).count();
  });
}

}  // extern "C"
