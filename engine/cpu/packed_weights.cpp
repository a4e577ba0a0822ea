#include "engine/cpu/packed_weights.h"

namespace tyto::cpu {

std::shared_ptr<const dnnl::memory> PackedWeights::get(const Weight& weight, const dnnl::memory::desc& plain,
                                                       const dnnl::memory::desc& wanted) {
  const auto [begin, end] = entries_.equal_range(weight.key());
  for (auto it = begin; it != end; ++it)
    if (it->second.owner == weight.owner() && it->second.layout == wanted)
      if (auto memory = it->second.memory.lock()) return memory;

  Tensor values = weight.load();
  const dnnl::memory from(plain, engine_, values.data());
  dnnl::memory packed(wanted, engine_);
  dnnl::reorder(from, packed).execute(stream_, const_cast<dnnl::memory&>(from), packed);
  stream_.wait();
  auto shared = std::make_shared<const dnnl::memory>(std::move(packed));
  entries_.emplace(weight.key(), Entry{weight.owner(), wanted, shared});
  return shared;
}

void PackedWeights::forget_unused() {
  std::erase_if(entries_, [](const auto& e) { return e.second.memory.expired(); });
}

int64_t PackedWeights::bytes() const {
  int64_t sum = 0;
  for (const auto& [key, entry] : entries_)
    if (!entry.memory.expired()) sum += static_cast<int64_t>(entry.layout.get_size());
  return sum;
}

}  // namespace tyto::cpu
