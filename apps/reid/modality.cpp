#include "apps/reid/modality.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "apps/reid/path_expression.h"
#include "files/named.h"
#include "files/whole_number.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

namespace fs = std::filesystem;

constexpr Named<Modality> kNames[] = {
    {"any", Modality::Any}, {"visible", Modality::Visible}, {"thermal", Modality::Thermal}};

// Without the empty part that a '/' at the end makes.
fs::path whole_path(const fs::path& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

fs::path without_links(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  return error ? path : real;
}

bool is_below(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

}  // namespace

std::string_view name_of(Modality modality) { return name_in(kNames, modality); }

ModalityRule::Description ModalityRule::described(const char* option, const std::vector<std::string>& texts) {
  Description out;
  for (const std::string& text : texts) {
    if (const auto camera = whole_number(text); camera && *camera >= 0) {
      out.cameras.insert(*camera);
    } else if (!text.empty() && fs::exists(text)) {
      out.folders.push_back(whole_path(text));
      out.folders.push_back(without_links(whole_path(text)));
    } else {
      throw Error(ErrorKind::Usage,
                  fmt::format("{} {}: neither a camera's number nor a folder that is there", option, text));
    }
  }
  return out;
}

ModalityRule ModalityRule::of(const std::vector<std::string>& visible,
                              const std::vector<std::string>& thermal) {
  ModalityRule rule;
  rule.visible_ = described("--visible", visible);
  rule.thermal_ = described("--thermal", thermal);
  rule.source_ = "--visible or --thermal";
  return rule;
}

ModalityRule ModalityRule::pattern(const std::string& expression) {
  constexpr const char* kOption = "--modality-pattern";
  static constexpr const char* kGroups[] = {"visible", "thermal"};
  ModalityRule rule;
  rule.source_ = kOption;
  rule.expression_ = path_expression(kOption, expression, kGroups);
  for (const auto& [name, group] : rule.expression_->NamedCapturingGroups())
    (name == "visible" ? rule.visible_ : rule.thermal_).group = group;
  if (!rule.visible_.given() && !rule.thermal_.given())
    bad_expression(kOption, expression, "it has no group (?<visible>...) or (?<thermal>...)");
  return rule;
}

bool ModalityRule::reads_cameras() const { return !visible_.cameras.empty() || !thermal_.cameras.empty(); }

bool ModalityRule::fits(const Description& description, const fs::path& file, int64_t camera) const {
  if (description.group > 0) {
    const std::string text = file.generic_string();
    std::vector<re2::StringPiece> groups(1 + static_cast<size_t>(description.group));
    return expression_->Match(text, 0, text.size(), RE2::UNANCHORED, groups.data(),
                              static_cast<int>(groups.size())) &&
           groups.back().data() != nullptr;
  }
  if (description.cameras.contains(camera)) return true;
  if (description.folders.empty()) return false;
  const fs::path named = whole_path(file), linked = without_links(named.parent_path()) / named.filename();
  return std::ranges::any_of(description.folders, [&](const fs::path& folder) {
    return is_below(named, folder) || is_below(linked, folder);
  });
}

Modality ModalityRule::modality(const fs::path& file, int64_t camera) const {
  const auto fail = [&](const std::string& why) {
    throw Error(ErrorKind::Usage, fmt::format("{}: {}", file.string(), why));
  };
  const bool visible = fits(visible_, file, camera), thermal = fits(thermal_, file, camera);
  if (visible && thermal) fail(fmt::format("by {} it is visible and thermal", source_));
  if (visible || thermal) return visible ? Modality::Visible : Modality::Thermal;
  if (camera == -1 && reads_cameras())
    fail(
        "its camera, by which its modality is told, is unknown; give --dataset or --name-pattern, or name "
        "folders");
  if (visible_.given() && thermal_.given())
    fail(fmt::format("{} does not say whether it is visible or thermal", source_));
  return visible_.given() ? Modality::Thermal : Modality::Visible;
}

}  // namespace tyto::apps
