// tyto extract: folders of images become a file of features.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>

#include "apps/command.h"
#include "apps/commands/engine_flags.h"
#include "apps/console.h"
#include "apps/outputs.h"
#include "apps/reid/export.h"
#include "apps/reid/extraction.h"
#include "files/json.h"

namespace tyto::apps {
namespace {

struct Flags : RunFlags {
  std::string model, output, gallery, query, multi_query, name_pattern, shard;
  std::string dataset = "plain", format = "safetensors";
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

std::vector<ImageFolder> list_folders(const Flags& flags, const NameRule& rule, const Shard& shard,
                                      SkippedInputs& skipped) {
  std::vector<ImageFolder> folders;
  for (const auto& [set, root] : {std::pair{SetKind::Query, flags.query},
                                  {SetKind::Gallery, flags.gallery},
                                  {SetKind::MultiQuery, flags.multi_query}})
    if (!root.empty()) folders.push_back(list_folder(set, root, rule, shard, skipped));
  if (folders.empty())
    throw Error(ErrorKind::Usage,
                "nothing to extract; name a folder with --gallery, --query or --multi-query");
  return folders;
}

Provenance provenance(const Flags& flags, const Model& model, const FeatureExtractor& extractor,
                      const NameRule& rule) {
  Provenance out{
      model.info().tensors_sha256,
      model.info().network,
      dump_json({{"options", model.info().options},
                 {"preprocessing", nlohmann::ordered_json::parse(model.image_input().preprocessing)}}),
      flags.engine.precision,
      extractor.flips(),
      flags.scales,
      flags.exif,
      rule.name(),
      std::nullopt,
      {}};
  for (const FeatureMatrix& matrix : extractor.matrices()) out.features.push_back(matrix.name);
  return out;
}

std::optional<bool> flip_option(const Flags& flags) {
  return flags.flip ? std::optional(true) : flags.no_flip ? std::optional(false) : std::nullopt;
}

void write_output(const Flags& flags, const Features& features) {
  if (flags.format == "safetensors")
    write_features(flags.output, features);
  else
    export_features(features, export_format(flags.format), flags.output);
}

int run(const Flags& flags, const ResumableOptions& declared) {
  if (flags.format != "safetensors") export_format(flags.format);
  const Shard shard = flags.shard.empty() ? Shard{} : parse_shard(flags.shard);
  const NameRule rule =
      flags.name_pattern.empty() ? NameRule::dataset(flags.dataset) : NameRule::pattern(flags.name_pattern);
  if (std::filesystem::is_directory(flags.output))
    throw Error(ErrorKind::Usage, fmt::format("-o {} is a folder; name a file", flags.output));
  const Model model(flags.model);
  model.verify();
  SkippedInputs skipped;
  const std::vector<ImageFolder> folders = list_folders(flags, rule, shard, skipped);
  int64_t images = static_cast<int64_t>(skipped.size());
  for (const ImageFolder& f : folders) images += static_cast<int64_t>(f.files.size());

  Features features;
  if (!flags.shard.empty()) features.shard = shard;

  Context context(context_options(flags.engine));
  FeatureExtractor extractor(
      model, context,
      {precision_from(flags.engine.precision), flags.batch, flip_option(flags), flags.scales});
  features.provenance = provenance(flags, model, extractor, rule);
  ExtractionJournal journal(flags.output + ".journal", declared.identity(model, context),
                            extractor.dimensions(), flags.resume);
  if (journal.size() > 0)
    notice(fmt::format("going on after {} images that were done before", journal.size()));

  const int64_t before = journal.size();
  const auto start = std::chrono::steady_clock::now();
  extract_folders(folders, model, extractor, batch_options(flags), journal, skipped);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  // A shard may well hold nothing else, and `merge` needs every shard.
  if (journal.size() == 0 && images > 0 && flags.shard.empty())
    throw Error(ErrorKind::File,
                fmt::format("none of {} images could be read; the first: {}", images, skipped.front()));

  for (const ImageFolder& f : folders)
    features.sets.emplace(f.set, collect(f, journal, extractor.matrices()));
  write_output(flags, features);
  report_skipped(flags.output + ".skipped.txt", skipped, images, "images");
  const double rate = static_cast<double>(journal.size() - before) / std::max(elapsed.count(), 1e-9);
  if (flags.json) {
    nlohmann::ordered_json j = {{"output", flags.output}};
    for (const auto& [set, rows] : features.sets) j[std::string(name_of(set))] = rows.rows();
    j["dimensions"] = extractor.dimensions();
    j["skipped"] = skipped.size();
    j["seconds"] = elapsed.count();
    j["images_per_second"] = rate;
    j["plans"] = extractor.planning().plans;
    j["planning_seconds"] = extractor.planning().seconds;
    fmt::print("{}\n", dump_json(j));
  } else {
    for (const auto& [set, rows] : features.sets)
      fmt::print("{:12} {:>7} images, {} dimensions\n", name_of(set), rows.rows(), extractor.dimensions());
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
  // The journal holds features alone; labels are read anew.
  options
      ->free("--dataset", flags->dataset,
             fmt::format("how names tell identity and camera: {}", fmt::join(NameRule::datasets(), ", ")))
      ->capture_default_str();
  options->free("--name-pattern", flags->name_pattern,
                R"(a regular expression (RE2's syntax) instead: (?<id>\d+)_c(?<camera>\d+))");
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
