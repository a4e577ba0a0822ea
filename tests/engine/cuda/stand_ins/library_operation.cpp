#include "engine/cuda/stand_ins/library_operation.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/cuda/stand_ins/libraries_impl.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

constexpr uintptr_t kAlignment = 16, kWorkspaceAlignment = 256;

void check(const Argument& argument, uintptr_t alignment, const std::string& name) {
  const auto& [pointer, wanted, what] = argument;
  if (wanted && pointer == nullptr)
    throw Error(ErrorKind::Usage, fmt::format("{}: its {} is missing", name, what));
  if (!wanted && pointer != nullptr)
    throw Error(ErrorKind::Usage, fmt::format("{}: was planned without a {}", name, what));
  if (reinterpret_cast<uintptr_t>(pointer) % alignment != 0)
    throw Error(ErrorKind::Usage, fmt::format("{}: its {} is not {}-byte aligned", name, what, alignment));
}

void require_success(cudaError_t error, const std::string& name) {
  if (error != cudaSuccess)
    throw Error(ErrorKind::Device, fmt::format("{}: {}", name, cudaGetErrorString(error)));
}

}  // namespace

LibraryOperation::LibraryOperation(Libraries& libraries, std::string name, int64_t workspace_bytes)
    : name_(std::move(name)),
      workspace_bytes_(std::min(workspace_bytes, libraries.impl().options.workspace_limit)),
      libraries_(libraries.impl().alive) {}

LibraryOperation::~LibraryOperation() { expect_libraries("is destroyed"); }

void LibraryOperation::expect_libraries(const char* what) const {
  if (libraries_.expired())
    emulation::report_fault(fmt::format("{} {} when the library's handle is gone", name_, what));
}

void LibraryOperation::enqueue(std::span<const Argument> arguments, void* workspace,
                               emulation::LibraryCall call, kernels::Stream stream) {
  for (const Argument& argument : arguments) check(argument, kAlignment, name_);
  if (workspace_bytes_ > 0) check({workspace, true, "workspace"}, kWorkspaceAlignment, name_);

  expect_libraries("runs");
  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
  require_success(cudaStreamIsCapturing(stream, &capturing), name_);
  if (capturing != cudaStreamCaptureStatusNone && !loaded_)
    throw Error(
        ErrorKind::Device,
        fmt::format("{}: its first call is captured, and loads kernels, which no capture can hold", name_));
  loaded_ = true;

  const auto scratch = static_cast<size_t>(workspace_bytes_);
  call.name = name_;
  call.writes.push_back({workspace, scratch});
  call.run = [=, run = std::move(call.run)] {
    if (scratch > 0) std::memset(workspace, 0xff, scratch);
    run();
  };
  require_success(emulation::enqueue_library_call(stream, std::move(call)), name_);
}

}  // namespace tyto::cuda
