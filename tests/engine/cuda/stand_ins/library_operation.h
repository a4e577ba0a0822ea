// What every operation of a library minds on the emulated device: its handle lives, its pointers are there,
// its first call loads kernels, its workspace is its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "emulation/library_call.h"
#include "engine/cuda/libraries.h"
#include "kernels/common/stream.h"

namespace tyto::cuda {

struct Argument {
  const void* pointer;
  bool wanted;
  const char* what;  // "bias"
};

class LibraryOperation {
 public:
  // workspace_bytes: what it would like to have; the libraries' limit holds.
  LibraryOperation(Libraries& libraries, std::string name, int64_t workspace_bytes);
  // A fault of the device where the libraries are gone: a descriptor would be destroyed through a freed
  // handle.
  ~LibraryOperation();
  LibraryOperation(const LibraryOperation&) = delete;
  LibraryOperation& operator=(const LibraryOperation&) = delete;

  // Queues what reads and writes these ranges, and fills the workspace with rubbish before it, as a library
  // may. Error{Usage} where a pointer is missing or not aligned, Error{Device} where the first call is
  // captured: the libraries load kernels then. What was queued or captured outlives this object.
  void enqueue(std::span<const Argument> arguments, void* workspace, emulation::LibraryCall call,
               kernels::Stream stream);

  int64_t workspace_bytes() const { return workspace_bytes_; }

 private:
  void expect_libraries(const char* what) const;

  const std::string name_;
  const int64_t workspace_bytes_;
  const std::weak_ptr<const bool> libraries_;
  bool loaded_ = false;
};

}  // namespace tyto::cuda
