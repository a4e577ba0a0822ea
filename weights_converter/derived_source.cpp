#include "weights_converter/derived_source.h"

#include <fmt/format.h>

namespace tyto {

bool DerivedSource::add(const std::string& name, TensorSpec spec, std::function<Tensor()> read) {
  if (!entries_.try_emplace(name, Entry{std::move(spec), std::move(read)}).second) return false;
  names_.push_back(name);
  return true;
}

bool DerivedSource::add(const std::string& name, const std::shared_ptr<const TensorSource>& base,
                        const std::string& name_there) {
  return add(name, base->find(name_there).value(), [base, name_there] { return base->read(name_there); });
}

std::optional<TensorSpec> DerivedSource::find(const std::string& name) const {
  const auto entry = entries_.find(name);
  return entry == entries_.end() ? std::nullopt : std::optional(entry->second.spec);
}

Tensor DerivedSource::read(const std::string& name) const {
  const auto entry = entries_.find(name);
  if (entry == entries_.end())
    throw Error(ErrorKind::Format, fmt::format("{} has no tensor '{}'", origin_, name));
  if (!entry->second.spec.foreign_type.empty())
    throw Error(ErrorKind::Unsupported, fmt::format("{}: '{}' is of type {}, which tyto cannot hold", origin_,
                                                    name, entry->second.spec.foreign_type));
  return entry->second.read();
}

}  // namespace tyto
