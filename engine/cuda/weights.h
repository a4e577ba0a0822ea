// Weights on the GPU, in the layout and type that its kernels read, shared by all plans of a context that ask
// for the same.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/cuda/runtime.h"
#include "engine/graph/weights.h"

namespace tyto::cuda {

class DeviceWeights {
 public:
  using Buffer = std::shared_ptr<const DeviceBuffer>;

  // `values` (F32, made from `weight`; called only where the GPU has no copy yet) as elements of `type`.
  // `layout` names what `values` makes of the weight, so that another use of it finds its own copy.
  Buffer get(const Weight& weight, const std::string& layout, DType type,
             const std::function<std::vector<float>()>& values);
  // What stands in no weight: computed from several, or the network's own. Not shared.
  static Buffer upload(const std::vector<float>& values, DType type);

  void forget_unused();   // what no plan holds any more
  int64_t bytes() const;  // of what plans hold at present

 private:
  struct Entry {
    std::shared_ptr<const void> owner;
    std::string layout;
    DType type;
    std::weak_ptr<const DeviceBuffer> buffer;
  };
  std::multimap<std::string, Entry> entries_;  // by Weight::key()
};

}  // namespace tyto::cuda
