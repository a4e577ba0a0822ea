// Weights in the layouts that primitives asked for, shared by all plans of a context that ask for the same.
#pragma once

#include <map>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "engine/graph/weights.h"

namespace tyto::cpu {

class PackedWeights {
 public:
  PackedWeights(dnnl::engine engine, dnnl::stream stream)
      : engine_(std::move(engine)), stream_(std::move(stream)) {}

  // `weight`, whose values stand in `plain` (F32), in the layout and type of `wanted`. Where the two have
  // other dimensions, wanted's are those of the values in the order of plain's dimensions.
  std::shared_ptr<const dnnl::memory> get(const Weight& weight, const dnnl::memory::desc& plain,
                                          const dnnl::memory::desc& wanted);

  void forget_unused();   // what no plan holds any more
  int64_t bytes() const;  // of what plans hold at present

 private:
  struct Entry {
    std::shared_ptr<const void> owner;
    dnnl::memory::desc plain, layout;
    std::weak_ptr<const dnnl::memory> memory;
  };
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::multimap<std::string, Entry> entries_;  // by Weight::key()
};

}  // namespace tyto::cpu
