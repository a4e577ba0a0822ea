#include "apps/commands/extraction_inputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "tyto/error.h"

namespace tyto::apps {
namespace {

constexpr const char* kSysu = "sysu";
constexpr const char* kRegdb = "regdb";

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorKind::Usage, why); }

bool tells_modalities(const ExtractionInputs& inputs) {
  return !inputs.visible.empty() || !inputs.thermal.empty() || !inputs.modality_pattern.empty();
}

}  // namespace

bool has_two_stems(const Model& model) { return model.info().options.contains(kModalityOption); }

void add_extraction_inputs(ResumableOptions& options, ExtractionInputs& inputs) {
  options.deciding("--gallery", inputs.gallery, "folder of gallery images");
  options.deciding("--query", inputs.query, "folder of query images");
  options.deciding("--multi-query", inputs.multi_query,
                   "folder of further images of the queries' identities and cameras");
  options.deciding(
      "--root", inputs.root,
      "instead, the folder of SYSU-MM01 or RegDB, with --dataset: queries and gallery as its own "
      "lists say");
  options.deciding("--split", inputs.split, "which of RegDB's ten splits, 1 to 10")
      ->check(CLI::Range(int64_t{1}, int64_t{10}));
  // The journal holds features alone; labels are read anew.
  options
      .free("--dataset", inputs.dataset,
            fmt::format("how names tell identity and camera: {}", fmt::join(NameRule::datasets(), ", ")))
      ->capture_default_str();
  options.free("--name-pattern", inputs.name_pattern,
               R"(a regular expression (RE2's syntax) instead: (?<id>\d+)_c(?<camera>\d+))");
  const auto modality = [&](const char* name, std::vector<std::string>& value, const std::string& help) {
    return options.deciding(name, value, help)->delimiter(',')->allow_extra_args(false);
  };
  CLI::Option* thermal = modality(
      "--thermal", inputs.thermal,
      "for networks across visible and thermal cameras, which images are thermal: folders or numbers "
      "of cameras (night/ or 3,6); all others are visible. sysu and regdb know theirs");
  CLI::Option* visible = modality("--visible", inputs.visible,
                                  "likewise which are visible; with both, each image must be of exactly one");
  options
      .deciding("--modality-pattern", inputs.modality_pattern,
                "a regular expression instead, searched for in the path: (?<thermal>/ir/), (?<visible>/rgb/) "
                "or both with | between them")
      ->excludes(thermal)
      ->excludes(visible);
  options.deciding("--shard", inputs.shard,
                   "extract part i of n only: i/n, counted from 0; `tyto merge` joins the parts");
}

void check(const ExtractionInputs& inputs) {
  const bool folders = !inputs.query.empty() || !inputs.gallery.empty() || !inputs.multi_query.empty();
  const bool root = !inputs.root.empty(), regdb = inputs.dataset == kRegdb;
  if (root && inputs.dataset != kSysu && !regdb)
    refuse("--root is the folder of --dataset sysu or regdb; name others with --query and --gallery");
  if (root && folders)
    refuse("--root says what is query and what gallery; leave --query, --gallery and --multi-query out");
  if (root && !inputs.name_pattern.empty())
    refuse("--root says what identities and cameras are; leave --name-pattern out");
  if (regdb && !root)
    refuse("--dataset regdb reads identities off RegDB's lists; name its folder with --root");
  if (regdb && !inputs.split) refuse("--dataset regdb has ten splits; name one with --split, 1 to 10");
  if (inputs.split && !regdb) refuse("--split is of --dataset regdb");
  if (!root && !folders) refuse("nothing to extract; name a folder with --gallery, --query or --multi-query");
}

NameRule name_rule(const ExtractionInputs& inputs) {
  return inputs.name_pattern.empty() ? NameRule::dataset(inputs.dataset)
                                     : NameRule::pattern(inputs.name_pattern);
}

std::optional<ModalityRule> modality_rule(const ExtractionInputs& inputs, const Model& model) {
  const auto refuse_model = [&](const char* why) {
    refuse(fmt::format("{} ({}) {}", model.path().string(), model.info().network, why));
  };
  if (!has_two_stems(model)) {
    if (tells_modalities(inputs))
      refuse_model(
          "treats visible and thermal images alike; leave --visible, --thermal and --modality-pattern out");
    return std::nullopt;
  }
  if (!inputs.modality_pattern.empty()) return ModalityRule::pattern(inputs.modality_pattern);
  if (tells_modalities(inputs)) return ModalityRule::of(inputs.visible, inputs.thermal);
  if (inputs.dataset == kSysu && inputs.name_pattern.empty())
    return ModalityRule::of({"1", "2", "4", "5"}, {"3", "6"});
  if (inputs.dataset == kRegdb) return ModalityRule::of({"1"}, {"2"});
  refuse_model(
      "has a stem for visible and one for thermal images; say which are thermal: --thermal with folders or "
      "numbers of cameras, or --modality-pattern");
  return std::nullopt;
}

std::vector<ImageFolder> list_folders(const ExtractionInputs& inputs,
                                      const std::optional<ModalityRule>& modalities, SkippedInputs& skipped) {
  const Shard shard = shard_from(inputs.shard);
  std::vector<ImageFolder> folders;
  if (inputs.split) {
    folders = list_regdb(inputs.root, *inputs.split, shard, skipped);
  } else if (!inputs.root.empty()) {
    folders = list_sysu(inputs.root, shard, skipped);
  } else {
    const NameRule rule = name_rule(inputs);
    for (const auto& [set, root] : {std::pair{SetKind::Query, inputs.query},
                                    {SetKind::Gallery, inputs.gallery},
                                    {SetKind::MultiQuery, inputs.multi_query}})
      if (!root.empty()) folders.push_back(list_folder(set, root, rule, shard, skipped));
  }
  tell_modalities(folders, modalities);
  return folders;
}

std::string identity(const ExtractionInputs& inputs, const std::optional<ModalityRule>& modalities) {
  return modalities && modalities->reads_cameras() ? " cameras of " + name_rule(inputs).name() : "";
}

}  // namespace tyto::apps
