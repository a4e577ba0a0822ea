#include "weights_converter/wrappers.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "weights_converter/derived_source.h"

namespace tyto {
namespace {

constexpr auto kWrappers = std::to_array<std::string_view>(
    {"module.", "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."});

}  // namespace

std::string without_wrappers(std::string_view name, std::vector<std::string>& seen) {
  std::string out;
  while (!name.empty()) {
    const size_t end = std::min(name.find('.'), name.size() - 1) + 1;  // behind the dot
    const std::string_view part = name.substr(0, end);
    name.remove_prefix(end);
    if (std::find(kWrappers.begin(), kWrappers.end(), part) == kWrappers.end())
      out += part;
    else if (std::find(seen.begin(), seen.end(), part) == seen.end())
      seen.emplace_back(part);
  }
  return out;
}

std::shared_ptr<const TensorSource> without_wrappers(std::shared_ptr<const TensorSource> tensors,
                                                     std::vector<std::string>& seen) {
  const std::vector<std::string> names = tensors->names();
  std::vector<std::string> plain;
  std::unordered_map<std::string, int> uses;
  for (const std::string& name : names) ++uses[plain.emplace_back(without_wrappers(name, seen))];
  if (seen.empty()) return tensors;
  auto out = std::make_shared<DerivedSource>(tensors->origin());
  for (size_t i = 0; i < names.size(); ++i)
    out->add(uses[plain[i]] == 1 ? plain[i] : names[i], tensors, names[i]);
  return out;
}

}  // namespace tyto
