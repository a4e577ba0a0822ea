#include "emulation/runtime/stream.h"

#include <map>
#include <utility>

#include "emulation/runtime/call.h"
#include "emulation/runtime/device.h"

namespace emulation::runtime {
namespace {

CUstream_st& default_stream(int device) {
  static std::map<int, CUstream_st> defaults;
  CUstream_st& stream = defaults[device];
  stream.device = device;
  return stream;
}

void capture(CUstream_st& stream, Work work) {
  Captured& captured = stream.captured;
  require(captured.capture->valid, cudaErrorStreamCaptureInvalidated);
  auto& nodes = captured.capture->graph.nodes;
  nodes.push_back({stream.device, std::make_shared<Work>(std::move(work)), captured.after});
  captured.after = {nodes.size() - 1};
}

}  // namespace

Handles<CUstream_st>& streams() {
  static Handles<CUstream_st> streams;
  return streams;
}

Handles<CUevent_st>& events() {
  static Handles<CUevent_st> events;
  return events;
}

Handles<CUgraph_st>& graphs() {
  static Handles<CUgraph_st> graphs;
  return graphs;
}

Handles<CUgraphExec_st>& executables() {
  static Handles<CUgraphExec_st> executables;
  return executables;
}

CUstream_st& stream_of(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy) return default_stream(current_device());
  require(streams().contains(handle), cudaErrorInvalidResourceHandle);
  require_sound(handle->device);
  return *handle;
}

CUevent_st& event_of(cudaEvent_t handle) {
  require(events().contains(handle), cudaErrorInvalidResourceHandle);
  return *handle;
}

bool is_default(const CUstream_st& stream) { return &stream == &default_stream(stream.device); }

std::vector<OperationId> predecessors(const CUstream_st& stream) {
  std::vector<OperationId> ids = {stream.last};
  if (is_default(stream)) {
    for (const auto& other : streams())
      if (other->blocking && other->device == stream.device) ids.push_back(other->last);
  } else if (stream.blocking) {
    ids.push_back(default_stream(stream.device).last);
  }
  return ids;
}

void append(CUstream_st& stream, Work work) {
  if (stream.captured.capture) return capture(stream, std::move(work));
  refuse_default_in_capture(stream);
  stream.last = give(stream.device, std::make_shared<Work>(std::move(work)), predecessors(stream));
}

void end_capture(Capture& capture, cudaError_t error) {
  capture.valid = false;
  refuse(error);
}

void refuse_in_capture(const CUstream_st& stream) {
  if (stream.captured.capture) end_capture(*stream.captured.capture, cudaErrorStreamCaptureUnsupported);
}

void refuse_in_capture() {
  for (const auto& stream : streams()) {
    if (!stream->captured.capture) continue;
    const Capture& capture = *stream->captured.capture;
    if (capture.mode == cudaStreamCaptureModeGlobal ||
        (capture.mode == cudaStreamCaptureModeThreadLocal && capture.thread == std::this_thread::get_id()))
      refuse_in_capture(*stream);
  }
}

void refuse_default_in_capture(const CUstream_st& stream) {
  if (!is_default(stream)) return;
  for (const auto& other : streams())
    if (other->captured.capture && other->blocking && other->device == stream.device)
      end_capture(*other->captured.capture, cudaErrorStreamCaptureImplicit);
}

}  // namespace emulation::runtime
