// What the stand-ins of one device share.
#pragma once

#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <set>

#include "engine/cuda/convolution.h"
#include "engine/cuda/libraries.h"

namespace tyto::cuda {

struct Libraries::Impl {
  const LibraryOptions options;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::set<ConvolutionSpec> families;  // that the heuristics were asked for
  const std::shared_ptr<const bool> alive = std::make_shared<bool>(true);  // as long as the handles would be
};

}  // namespace tyto::cuda
