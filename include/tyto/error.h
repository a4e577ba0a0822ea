// The one exception type that crosses tyto's API.
#pragma once

#include <stdexcept>
#include <string>

namespace tyto {

enum class ErrorKind {
  Usage,        // the call or command line makes no sense
  File,         // a file is missing, unreadable, truncated, or cannot be written
  Format,       // a file's bytes are not what its format promises
  Shape,        // tensors do not fit together
  Unsupported,  // well formed, but this build, device or version cannot do it
  Memory,       // a limit or the machine's memory is exceeded
  Device,       // the device failed
};

// what() is one sentence that names the file, tensor or layer, and what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace tyto
