// What the stand-ins of one device share.
#pragma once

#include <memory>
#include <oneapi/dnnl/dnnl.hpp>

#include "engine/cuda/libraries.h"

namespace tyto::cuda {

struct Libraries::Impl {
  const LibraryOptions options;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  const std::shared_ptr<const bool> alive = std::make_shared<bool>(true);  // as long as the handles would be
};

}  // namespace tyto::cuda
