// The runtime's C functions for capturing streams and replaying graphs.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <set>
#include <utility>

#include "emulation/runtime/call.h"
#include "emulation/runtime/device.h"
#include "emulation/runtime/stream.h"

namespace emulation::runtime {
namespace {

// The nodes and all that they follow.
std::set<size_t> with_needs(const CUgraph_st& graph, std::vector<size_t> open) {
  std::set<size_t> seen;
  while (!open.empty()) {
    const size_t node = open.back();
    open.pop_back();
    if (!seen.insert(node).second) continue;
    open.insert(open.end(), graph.nodes[node].after.begin(), graph.nodes[node].after.end());
  }
  return seen;
}

// Whether the origin has waited for all that the other streams of its capture were given.
bool all_joined(const CUstream_st& origin) {
  const Capture& capture = *origin.captured.capture;
  return with_needs(capture.graph, origin.captured.after).size() == capture.graph.nodes.size();
}

// Nothing of the launch starts before what the stream was given, and what comes next in the stream follows
// all of it.
void launch(CUgraphExec_st& graph, CUstream_st& stream) {
  std::vector<OperationId> before = predecessors(stream);
  before.push_back(graph.last_launch);
  const OperationId start = give(stream.device, std::make_shared<Work>(), before);
  std::vector<OperationId> ids;
  for (const CUgraphNode_st& node : graph.nodes) {
    std::vector<OperationId> after = {start};
    for (size_t other : node.after) after.push_back(ids[other]);
    ids.push_back(give(node.device, node.work, after));
  }
  ids.push_back(start);
  stream.last = graph.last_launch = give(stream.device, std::make_shared<Work>(), ids);
}

}  // namespace
}  // namespace emulation::runtime

using namespace emulation::runtime;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return call("cudaStreamBeginCapture", [&] {
    CUstream_st& stream = stream_of(handle);
    require(!is_default(stream), cudaErrorStreamCaptureUnsupported);
    require(!stream.captured.capture, cudaErrorIllegalState);
    stream.captured = {std::make_shared<Capture>(), {}};
    Capture& begun = *stream.captured.capture;
    begun.origin = handle;
    begun.mode = mode;
    begun.thread = std::this_thread::get_id();
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return call("cudaStreamEndCapture", [&] {
    const CUstream_st& stream = stream_of(handle);
    const std::shared_ptr<Capture> capture = stream.captured.capture;
    require(graph != nullptr, cudaErrorInvalidValue);
    *graph = nullptr;
    require(capture != nullptr, cudaErrorIllegalState);
    require(capture->origin == handle, cudaErrorStreamCaptureUnmatched);
    require(capture->mode == cudaStreamCaptureModeRelaxed || capture->thread == std::this_thread::get_id(),
            cudaErrorStreamCaptureWrongThread);
    const bool joined = all_joined(stream);
    for (const auto& other : streams())
      if (other->captured.capture == capture) other->captured = {};
    capture->ended = true;
    require(capture->valid, cudaErrorStreamCaptureInvalidated);
    require(joined, cudaErrorStreamCaptureUnjoined);
    *graph = graphs().add(std::move(capture->graph));
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return call("cudaStreamIsCapturing", [&] {
    require(status != nullptr, cudaErrorInvalidValue);
    const CUstream_st& stream = stream_of(handle);
    refuse_default_in_capture(stream);
    const auto& capture = stream.captured.capture;
    *status = !capture         ? cudaStreamCaptureStatusNone
              : capture->valid ? cudaStreamCaptureStatusActive
                               : cudaStreamCaptureStatusInvalidated;
  });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  return call("cudaGraphGetNodes", [&] {
    require(graphs().contains(graph) && count != nullptr, cudaErrorInvalidValue);
    if (nodes != nullptr) {
      const size_t room = *count;
      for (size_t i = 0; i < room; ++i) nodes[i] = i < graph->nodes.size() ? &graph->nodes[i] : nullptr;
      *count = std::min(room, graph->nodes.size());
    } else {
      *count = graph->nodes.size();
    }
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return call("cudaGraphInstantiate", [&] {
    require(executable != nullptr && graphs().contains(graph), cudaErrorInvalidValue);
    ++counts().graph_instantiations;
    *executable = executables().add({graph->nodes});
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t handle) {
  return call("cudaGraphLaunch", [&] {
    require(executables().contains(graph), cudaErrorInvalidValue);
    CUstream_st& stream = stream_of(handle);
    refuse_in_capture(stream);  // graphs within graphs are not emulated
    refuse_default_in_capture(stream);
    ++counts().graph_launches;
    launch(*graph, stream);
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return giving_back("cudaGraphDestroy", [&] {
    require(graphs().contains(graph), cudaErrorInvalidValue);
    graphs().remove(graph);
  });
}

// Launches that have not run yet keep their work, as CUDA has it.
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  return giving_back("cudaGraphExecDestroy", [&] {
    require(executables().contains(graph), cudaErrorInvalidValue);
    executables().remove(graph);
  });
}

}  // extern "C"
