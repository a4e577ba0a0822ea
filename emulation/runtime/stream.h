// Streams, events and graphs: what the runtime's handles point at.
//
// A graph is the work that its streams were given while they were captured, each piece with those that it
// must follow. A launch gives the same pieces to the machine again, so that a replay is ordered by what was
// captured and nothing else.
#pragma once

#include <driver_types.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "emulation/runtime/handles.h"
#include "emulation/runtime/operations.h"

struct CUgraphNode_st {
  int device = 0;
  std::shared_ptr<const emulation::runtime::Work> work;
  std::vector<size_t> after;  // nodes
};

struct CUgraph_st {
  std::vector<CUgraphNode_st> nodes;
};

struct CUgraphExec_st {
  std::vector<CUgraphNode_st> nodes;
  emulation::runtime::OperationId last_launch = 0;  // two launches of one graph never overlap
};

namespace emulation::runtime {

struct Capture {
  CUgraph_st graph;
  cudaStream_t origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;
  bool valid = true, ended = false;
};

struct Captured {
  std::shared_ptr<Capture> capture;  // null: nothing is captured
  std::vector<size_t> after;         // nodes that the next work must follow
};

}  // namespace emulation::runtime

struct CUstream_st {
  int device = 0;
  bool blocking = true;  // takes part in the default stream's order
  int priority = 0;
  emulation::runtime::OperationId last = 0;
  emulation::runtime::Captured captured;
};

struct CUevent_st {
  int device = 0;
  bool timed = true;
  emulation::runtime::OperationId recorded = 0;
  std::shared_ptr<std::chrono::steady_clock::time_point> time;  // of the last record, once that has run
  emulation::runtime::Captured captured;
};

namespace emulation::runtime {

Handles<CUstream_st>& streams();  // without the default streams
Handles<CUevent_st>& events();
Handles<CUgraph_st>& graphs();
Handles<CUgraphExec_st>& executables();

// The stream behind a handle, null being the current device's default stream. Refuses what is none, or is in
// error.
CUstream_st& stream_of(cudaStream_t handle);
CUevent_st& event_of(cudaEvent_t handle);
bool is_default(const CUstream_st& stream);

// What the stream's next work must follow: its last, and by the default stream's rules that of others.
std::vector<OperationId> predecessors(const CUstream_st& stream);

// Gives the work to the stream, or to the graph that the stream is captured in.
void append(CUstream_st& stream, Work work);

// Calls that cannot be captured end the capture that they disturb, and are refused:
[[noreturn]] void end_capture(Capture& capture, cudaError_t error);
void refuse_in_capture(const CUstream_st& stream);  // waits for the stream
void refuse_in_capture();                           // waits for the device, allocates or frees
void refuse_default_in_capture(
    const CUstream_st& stream);  // the default stream would wait for a captured one

}  // namespace emulation::runtime
