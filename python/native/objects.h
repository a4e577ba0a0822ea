// What Python knows by a number. Numbers are never used again, so that one which was closed is never
// another's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tyto/error.h"

namespace tyto::python {

class Object {
 public:
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
};

uint64_t keep(std::shared_ptr<Object> object);
std::shared_ptr<Object> find(uint64_t number);  // or null

// Error{Usage} where it was closed, or is something else. T::kName: "model".
template <class T>
std::shared_ptr<T> find(uint64_t number) {
  if (auto found = std::dynamic_pointer_cast<T>(find(number))) return found;
  throw Error(ErrorKind::Usage, std::string("this ") + T::kName + " was closed; make another");
}

}  // namespace tyto::python
