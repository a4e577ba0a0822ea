// tyto extract: folders of images become a file of features.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

#include "apps/command.h"
#include "apps/commands/engine_flags.h"
#include "apps/commands/extraction_inputs.h"
#include "apps/commands/key_values.h"
#include "apps/console.h"
#include "apps/outputs.h"
#include "apps/reid/export.h"
#include "apps/reid/extraction.h"
#include "files/json.h"

namespace tyto::apps {
namespace {

struct Flags : RunFlags {
  std::string model, output;
  ExtractionInputs inputs;
  std::string format = "safetensors";
  std::vector<std::string> set;
  std::vector<double> scales = {1};
  bool flip = false, no_flip = false;
};

// Features of both modalities are compared, so their option makes no difference.
Provenance provenance(const Flags& flags, const Model& model, const FeatureExtractor& extractor) {
  auto options = model.info().options;
  for (const auto& [name, value] : key_values(flags.set)) options[name] = value;
  options.erase(kModalityOption);
  std::vector<std::string> features;
  for (const FeatureMatrix& matrix : extractor.matrices()) features.push_back(matrix.name);
  return {model.info().tensors_sha256,
          model.info().network,
          dump_json({{"options", options},
                     {"preprocessing", nlohmann::ordered_json::parse(model.image_input().preprocessing)}}),
          flags.engine.precision,
          extractor.flips(),
          flags.scales,
          flags.exif,
          name_rule(flags.inputs).name(),
          flags.inputs.split,
          features};
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

// What came of the run, which extracted so many images in so many seconds.
void report(const Flags& flags, const Features& features, const Extractors& extractors, size_t skipped,
            int64_t extracted, double seconds) {
  const FeatureExtractor& any = extractors.begin()->second;
  const double rate = static_cast<double>(extracted) / std::max(seconds, 1e-9);
  if (!flags.json) {
    for (const auto& [set, rows] : features.sets)
      fmt::print("{:12} {:>7} images, {}\n", name_of(set), rows.rows(), widths(any.matrices()));
    notice(fmt::format("wrote {}: {:.1f} images/s", flags.output, rate));
    return;
  }
  nlohmann::ordered_json j = {{"output", flags.output}};
  for (const auto& [set, rows] : features.sets) j[std::string(name_of(set))] = rows.rows();
  j["dimensions"] = any.dimensions();
  for (const FeatureMatrix& matrix : any.matrices()) j["features"][matrix.name] = matrix.width;
  j["skipped"] = skipped;
  j["seconds"] = seconds;
  j["images_per_second"] = rate;
  FeatureExtractor::Planning planning;
  for (const auto& [modality, extractor] : extractors) {
    planning.plans += extractor.planning().plans;
    planning.seconds += extractor.planning().seconds;
  }
  j["plans"] = planning.plans;
  j["planning_seconds"] = planning.seconds;
  fmt::print("{}\n", dump_json(j));
}

int run(const Flags& flags, const ResumableOptions& declared) {
  const ExtractionInputs& inputs = flags.inputs;
  check(inputs);
  if (flags.format != "safetensors") export_format(flags.format);
  if (std::filesystem::is_directory(flags.output))
    throw Error(ErrorKind::Usage, fmt::format("-o {} is a folder; name a file", flags.output));
  const Model model(flags.model);
  model.verify();
  if (has_two_stems(model) && key_values(flags.set).contains(kModalityOption))
    throw Error(ErrorKind::Usage,
                "--set modality: each image has its own; tell them by --thermal, --visible or "
                "--modality-pattern");
  const std::optional<ModalityRule> modalities = modality_rule(inputs, model);
  SkippedInputs skipped;
  const std::vector<ImageFolder> folders = list_folders(inputs, modalities, skipped);
  if (modalities) say_modalities(folders);
  int64_t images = static_cast<int64_t>(skipped.size());
  for (const ImageFolder& f : folders) images += static_cast<int64_t>(f.files.size());

  Context context(context_options(flags.engine));
  Extractors extractors;
  make_extractors(flags, model, context, folders, extractors);
  const FeatureExtractor& any = extractors.begin()->second;
  ExtractionJournal journal(flags.output + ".journal",
                            declared.identity(model, context) + identity(inputs, modalities),
                            any.dimensions(), flags.resume);
  if (journal.size() > 0)
    notice(fmt::format("going on after {} images that were done before", journal.size()));

  const int64_t before = journal.size();
  const auto start = std::chrono::steady_clock::now();
  extract_folders(folders, model, extractors, batch_options(flags), journal, skipped);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  // A shard may well hold nothing else, and `merge` needs every shard.
  if (journal.size() == 0 && images > 0 && inputs.shard.empty())
    throw Error(ErrorKind::File,
                fmt::format("none of {} images could be read; the first: {}", images, skipped.front()));

  Features features;
  features.provenance = provenance(flags, model, any);
  if (!inputs.shard.empty()) features.shard = shard_from(inputs.shard);
  for (const ImageFolder& f : folders) features.sets.emplace(f.set, collect(f, journal, any.matrices()));
  write_output(flags, features);
  report_skipped(flags.output + ".skipped.txt", skipped, images, "images");
  report(flags, features, extractors, skipped.size(), journal.size() - before, elapsed.count());
  journal.remove();
  return skipped.empty() ? kDone : kSkipped;
}

constexpr const char* kExamples =
    "Photographs by day and by night:\n"
    "  tyto extract agw.safetensors --query night/ --gallery day/ --thermal night/ -o features.safetensors\n"
    "  tyto rank features.safetensors -o ranking/\n"
    "All that a data set tests:\n"
    "  tyto extract agw.safetensors --dataset sysu --root SYSU-MM01/ -o features.safetensors\n"
    "  tyto extract agw.safetensors --dataset regdb --root RegDB/ --split 1 -o 1.safetensors";

}  // namespace

void add_extract(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c = app.add_subcommand("extract", "features of gallery and query images");
  c->footer(kExamples + ("\n\n" + c->get_footer()));
  auto options = std::make_shared<ResumableOptions>(*c);
  options->free("model", flags->model, "a model file")->required();
  options->free("-o,--output", flags->output, "the features file to write")->required();
  add_extraction_inputs(*options, flags->inputs);
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
  add_run_flags(*options, *flags);
  c->callback([flags, options, &command] { command = [flags, options] { return run(*flags, *options); }; });
}

}  // namespace tyto::apps
