#include "engine/cpu/packed_weights.h"

namespace tyto::cpu {
namespace {

using dnnl::memory;

memory::desc row_major(const memory::dims& dims) {
  memory::dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return {dims, memory::data_type::f32, strides};
}

}  // namespace

std::shared_ptr<const dnnl::memory> PackedWeights::get(const Weight& weight, const dnnl::memory::desc& plain,
                                                       const dnnl::memory::desc& wanted) {
  const auto [begin, end] = entries_.equal_range(weight.key());
  for (auto it = begin; it != end; ++it)
    if (it->second.owner == weight.owner() && it->second.plain == plain && it->second.layout == wanted)
      if (auto memory = it->second.memory.lock()) return memory;

  const auto reorder = [&](const memory& from, memory to) {
    dnnl::reorder(from, to).execute(stream_, const_cast<memory&>(from), to);
    stream_.wait();
    return to;
  };
  Tensor values = weight.load();
  memory from(plain, engine_, values.data()), ordered;
  if (plain.dims() != wanted.dims()) {
    ordered = reorder(from, memory(row_major(plain.dims()), engine_));
    from = memory(row_major(wanted.dims()), engine_, ordered.get_data_handle());
  }
  memory packed = reorder(from, memory(wanted, engine_));
  auto shared = std::make_shared<const dnnl::memory>(std::move(packed));
  entries_.emplace(weight.key(), Entry{weight.owner(), plain, wanted, shared});
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
