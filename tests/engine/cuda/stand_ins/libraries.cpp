#include "engine/cuda/libraries.h"

#include <fmt/format.h>

#include <utility>

#include "engine/cuda/stand_ins/libraries_impl.h"

namespace tyto::cuda {

Libraries::Libraries(LibraryOptions options) : impl_(new Impl{std::move(options)}) {}
Libraries::~Libraries() = default;

std::vector<std::pair<std::string, std::string>> Libraries::describe() const {
  const dnnl_version_t* v = dnnl_version();
  const std::string stand_in = fmt::format("stand-in, by oneDNN {}.{}.{}", v->major, v->minor, v->patch);
  return {{"cuDNN", stand_in}, {"cuBLASLt", stand_in}};
}

}  // namespace tyto::cuda
