// tyto extract: folders of images become a file of features.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

#include "apps/command.h"
#include "apps/commands/engine_flags.h"
#include "apps/commands/key_values.h"
#include "apps/console.h"
#include "apps/outputs.h"
#include "apps/reid/export.h"
#include "apps/reid/extraction.h"
#include "files/json.h"

namespace tyto::apps {
namespace {

// The network's option that names a stem, see networks/trunks/two_streams.h.
constexpr const char* kModalityOption = "modality";

struct Flags : RunFlags {
  std::string model, output, gallery, query, multi_query, root, name_pattern, modality_pattern, shard;
  std::string dataset = "plain", format = "safetensors";
  std::vector<std::string> visible, thermal, set;
  std::optional<int64_t> split;
  std::vector<double> scales = {1};
  bool flip = false, no_flip = false;
};

Shard parse_shard(const std::string& text) {
  Shard shard;
  char rest = 0;
  long long index = 0, count = 1;
  if (std::sscanf(text.c_str(), "%lld/%lld%c", &index, &count, &rest) != 2 || count < 1 || index < 0 ||
      index >= count)
    throw Error(ErrorKind::Usage, fmt::format("--shard {} is not of the form i/n with 0 <= i < n", text));
  shard.index = index;
  shard.count = count;
  return shard;
}

constexpr const char* kSysu = "sysu";
constexpr const char* kRegdb = "regdb";

// What contradicts itself before anything is opened.
void check(const Flags& flags) {
  const auto refuse = [](const std::string& why) { throw Error(ErrorKind::Usage, why); };
  const bool folders = !flags.query.empty() || !flags.gallery.empty() || !flags.multi_query.empty();
  const bool regdb = flags.dataset == kRegdb;
  if (!flags.root.empty() && flags.dataset != kSysu && !regdb)
    refuse("--root is the folder of --dataset sysu or regdb; name others with --query and --gallery");
  if (!flags.root.empty() && folders)
    refuse("--root says what is query and what gallery; leave --query, --gallery and --multi-query out");
  if (regdb && flags.root.empty())
    refuse("--dataset regdb reads identities off RegDB's lists; name its folder with --root");
  if (regdb && !flags.split) refuse("--dataset regdb has ten splits; name one with --split, 1 to 10");
  if (flags.split && !regdb) refuse("--split is of --dataset regdb");
  if (flags.root.empty() && !folders)
    refuse("nothing to extract; name a folder with --gallery, --query or --multi-query");
}

std::vector<ImageFolder> list_folders(const Flags& flags, const NameRule& rule, const Shard& shard,
                                      SkippedInputs& skipped) {
  if (!flags.root.empty())
    return flags.split ? list_regdb(flags.root, *flags.split, shard, skipped)
                       : list_sysu(flags.root, shard, skipped);
  std::vector<ImageFolder> folders;
  for (const auto& [set, root] : {std::pair{SetKind::Query, flags.query},
                                  {SetKind::Gallery, flags.gallery},
                                  {SetKind::MultiQuery, flags.multi_query}})
    if (!root.empty()) folders.push_back(list_folder(set, root, rule, shard, skipped));
  return folders;
}

bool has_two_stems(const Model& model) { return model.info().options.contains(kModalityOption); }

// How images' modalities are told, for a network that asks for them.
std::optional<ModalityRule> modality_rule(const Flags& flags, const Model& model) {
  if (has_two_stems(model) && key_values(flags.set).contains(kModalityOption))
    throw Error(ErrorKind::Usage,
                "--set modality: each image has its own; tell them by --thermal, --visible or "
                "--modality-pattern");
  const bool given = !flags.visible.empty() || !flags.thermal.empty() || !flags.modality_pattern.empty();
  if (!has_two_stems(model)) {
    if (given)
      throw Error(ErrorKind::Usage,
                  fmt::format("{} ({}) treats visible and thermal images alike; leave --visible, --thermal "
                              "and --modality-pattern out",
                              flags.model, model.info().network));
    return std::nullopt;
  }
  if (!flags.modality_pattern.empty()) return ModalityRule::pattern(flags.modality_pattern);
  if (given) return ModalityRule::of(flags.visible, flags.thermal);
  if (flags.dataset == kSysu && flags.name_pattern.empty())
    return ModalityRule::of({"1", "2", "4", "5"}, {"3", "6"});
  if (flags.dataset == kRegdb) return ModalityRule::of({"1"}, {"2"});
  throw Error(
      ErrorKind::Usage,
      fmt::format("{} is a {}, which has a stem for visible and one for thermal images; say which are "
                  "thermal: --thermal with folders or numbers of cameras, or --modality-pattern",
                  flags.model, model.info().network));
}

// Features of both modalities are compared, so their option makes no difference.
Provenance provenance(const Flags& flags, const Model& model, const FeatureExtractor& extractor,
                      const NameRule& rule) {
  auto options = model.info().options;
  for (const auto& [name, value] : key_values(flags.set)) options[name] = value;
  options.erase(kModalityOption);
  Provenance out{
      model.info().tensors_sha256,
      model.info().network,
      dump_json({{"options", options},
                 {"preprocessing", nlohmann::ordered_json::parse(model.image_input().preprocessing)}}),
      flags.engine.precision,
      extractor.flips(),
      flags.scales,
      flags.exif,
      rule.name(),
      flags.split,
      {}};
  for (const FeatureMatrix& matrix : extractor.matrices()) out.features.push_back(matrix.name);
  return out;
}

std::optional<bool> flip_option(const Flags& flags) {
  return flags.flip ? std::optional(true) : flags.no_flip ? std::optional(false) : std::nullopt;
}

// One for each modality that images have; where there is none, the features' sizes are asked for all the
// same.
void make_extractors(const Flags& flags, const Model& model, Context& context,
                     const std::vector<ImageFolder>& folders, Extractors& extractors) {
  std::set<Modality> modalities;
  for (const ImageFolder& f : folders) modalities.insert(f.modalities.begin(), f.modalities.end());
  if (modalities.empty()) modalities.insert(has_two_stems(model) ? Modality::Visible : Modality::Any);
  for (const Modality modality : modalities) {
    ExtractOptions options{precision_from(flags.engine.precision), flags.batch, flip_option(flags),
                           flags.scales, key_values(flags.set)};
    if (modality != Modality::Any) options.set[kModalityOption] = name_of(modality);
    extractors.try_emplace(modality, model, context, options);
  }
}

// What decides the features beside the options: where cameras tell modalities, how they are read.
std::string journal_identity(const ResumableOptions& declared, const Model& model, const Context& context,
                             const std::optional<ModalityRule>& modalities, const NameRule& rule) {
  const std::string identity = declared.identity(model, context);
  return modalities && modalities->reads_cameras() ? identity + " cameras of " + rule.name() : identity;
}

// Before the work begins: whoever described one modality sees what that makes of all other images.
void say_modalities(const std::vector<ImageFolder>& folders) {
  for (const ImageFolder& f : folders) {
    const auto count = [&](Modality m) { return std::ranges::count(f.modalities, m); };
    notice(fmt::format("{}: {} visible and {} thermal images", name_of(f.set), count(Modality::Visible),
                       count(Modality::Thermal)));
  }
}

std::string widths(const std::vector<FeatureMatrix>& matrices) {
  if (matrices.size() == 1) return fmt::format("{} dimensions", matrices[0].width);
  std::vector<std::string> parts;
  for (const FeatureMatrix& matrix : matrices)
    parts.push_back(fmt::format("{} of {} dimensions", matrix.name, matrix.width));
  return fmt::format("{}", fmt::join(parts, ", "));
}

void write_output(const Flags& flags, const Features& features) {
  if (flags.format == "safetensors")
    write_features(flags.output, features);
  else
    export_features(features, export_format(flags.format), flags.output);
}

int run(const Flags& flags, const ResumableOptions& declared) {
  check(flags);
  if (flags.format != "safetensors") export_format(flags.format);
  const Shard shard = flags.shard.empty() ? Shard{} : parse_shard(flags.shard);
  const NameRule rule =
      flags.name_pattern.empty() ? NameRule::dataset(flags.dataset) : NameRule::pattern(flags.name_pattern);
  if (std::filesystem::is_directory(flags.output))
    throw Error(ErrorKind::Usage, fmt::format("-o {} is a folder; name a file", flags.output));
  const Model model(flags.model);
  model.verify();
  const std::optional<ModalityRule> modalities = modality_rule(flags, model);
  SkippedInputs skipped;
  std::vector<ImageFolder> folders = list_folders(flags, rule, shard, skipped);
  tell_modalities(folders, modalities);
  if (modalities) say_modalities(folders);
  int64_t images = static_cast<int64_t>(skipped.size());
  for (const ImageFolder& f : folders) images += static_cast<int64_t>(f.files.size());

  Features features;
  if (!flags.shard.empty()) features.shard = shard;

  Context context(context_options(flags.engine));
  Extractors extractors;
  make_extractors(flags, model, context, folders, extractors);
  const FeatureExtractor& any = extractors.begin()->second;
  features.provenance = provenance(flags, model, any, rule);
  ExtractionJournal journal(flags.output + ".journal",
                            journal_identity(declared, model, context, modalities, rule), any.dimensions(),
                            flags.resume);
  if (journal.size() > 0)
    notice(fmt::format("going on after {} images that were done before", journal.size()));

  const int64_t before = journal.size();
  const auto start = std::chrono::steady_clock::now();
  extract_folders(folders, model, extractors, batch_options(flags), journal, skipped);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  // A shard may well hold nothing else, and `merge` needs every shard.
  if (journal.size() == 0 && images > 0 && flags.shard.empty())
    throw Error(ErrorKind::File,
                fmt::format("none of {} images could be read; the first: {}", images, skipped.front()));

  for (const ImageFolder& f : folders) features.sets.emplace(f.set, collect(f, journal, any.matrices()));
  write_output(flags, features);
  report_skipped(flags.output + ".skipped.txt", skipped, images, "images");
  const double rate = static_cast<double>(journal.size() - before) / std::max(elapsed.count(), 1e-9);
  if (flags.json) {
    nlohmann::ordered_json j = {{"output", flags.output}};
    for (const auto& [set, rows] : features.sets) j[std::string(name_of(set))] = rows.rows();
    j["dimensions"] = any.dimensions();
    j["skipped"] = skipped.size();
    j["seconds"] = elapsed.count();
    j["images_per_second"] = rate;
    FeatureExtractor::Planning planning;
    for (const auto& [modality, extractor] : extractors) {
      planning.plans += extractor.planning().plans;
      planning.seconds += extractor.planning().seconds;
    }
    j["plans"] = planning.plans;
    j["planning_seconds"] = planning.seconds;
    fmt::print("{}\n", dump_json(j));
  } else {
    for (const auto& [set, rows] : features.sets)
      fmt::print("{:12} {:>7} images, {}\n", name_of(set), rows.rows(), widths(any.matrices()));
    notice(fmt::format("wrote {}: {:.1f} images/s", flags.output, rate));
  }
  journal.remove();
  return skipped.empty() ? kDone : kSkipped;
}

}  // namespace

void add_extract(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c = app.add_subcommand("extract", "features of gallery and query images");
  auto options = std::make_shared<ResumableOptions>(*c);
  options->free("model", flags->model, "a model file")->required();
  options->free("-o,--output", flags->output, "the features file to write")->required();
  options->deciding("--gallery", flags->gallery, "folder of gallery images");
  options->deciding("--query", flags->query, "folder of query images");
  options->deciding("--multi-query", flags->multi_query,
                    "folder of further images of the queries' identities and cameras");
  options->deciding("--root", flags->root,
                    "folder of all of SYSU-MM01 or RegDB: queries and gallery as their own lists say");
  options->deciding("--split", flags->split, "which of RegDB's ten splits, 1 to 10")
      ->check(CLI::Range(int64_t{1}, int64_t{10}));
  // The journal holds features alone; labels are read anew.
  options
      ->free("--dataset", flags->dataset,
             fmt::format("how names tell identity and camera: {}", fmt::join(NameRule::datasets(), ", ")))
      ->capture_default_str();
  options->free("--name-pattern", flags->name_pattern,
                R"(a regular expression (RE2's syntax) instead: (?<id>\d+)_c(?<camera>\d+))");
  const auto modality = [&](const char* name, std::vector<std::string>& value, const std::string& help) {
    return options->deciding(name, value, help)->delimiter(',')->allow_extra_args(false);
  };
  CLI::Option* thermal = modality(
      "--thermal", flags->thermal,
      "for networks across visible and thermal cameras, which images are thermal: folders or numbers "
      "of cameras (night/ or 3,6); all others are visible. sysu and regdb know theirs");
  CLI::Option* visible = modality("--visible", flags->visible,
                                  "likewise which are visible; with both, each image must be of exactly one");
  options
      ->deciding(
          "--modality-pattern", flags->modality_pattern,
          "a regular expression instead, searched for in the path: (?<thermal>/ir/), (?<visible>/rgb/) "
          "or both with | between them")
      ->excludes(thermal)
      ->excludes(visible);
  options
      ->deciding("--set", flags->set, "an option of the network in place of the model file's: attention=none")
      ->allow_extra_args(false);
  options->free("--format", flags->format, "safetensors, npz or mat")->capture_default_str();
  CLI::Option* no_flip =
      options->deciding("--no-flip", flags->no_flip, "do not add the features of the mirrored image");
  options
      ->deciding("--flip", flags->flip, "add them; without either it is as the network's own test code does")
      ->excludes(no_flip);
  options->deciding("--multi-scale", flags->scales, "scales to sum over, each by its square root: 1,1.1")
      ->delimiter(',')
      ->allow_extra_args(false);
  options->deciding("--shard", flags->shard,
                    "extract part i of n only: i/n, counted from 0; `tyto merge` joins the parts");
  add_run_flags(*options, *flags);
  c->callback([flags, options, &command] { command = [flags, options] { return run(*flags, *options); }; });
}

}  // namespace tyto::apps
