// tyto bev: maps of the ground from the images of calibrated rigs.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "apps/bev/bev_run.h"
#include "apps/bev/samples_identity.h"
#include "apps/command.h"
#include "apps/commands/bev_ipm.h"
#include "apps/commands/engine_flags.h"
#include "apps/commands/key_values.h"
#include "apps/commands/sample_inputs.h"
#include "apps/console.h"
#include "apps/outputs.h"
#include "files/json.h"

namespace tyto::apps {
namespace {

constexpr int kProfileRepeats = 5;

struct Flags : RunFlags {
  Flags() { batch = 1; }

  std::string model, output, shard;
  SampleInputs inputs;
  IpmFlags ipm;
  std::string format = "safetensors";
  std::vector<std::string> set;
  double threshold = 0;
  bool draw = false, profile = false;
};

Preprocessing image_rule(const Model& model) {
  for (const InputInfo& input : model.info().inputs)
    if (input.is_images()) return preprocessing_from_json(input.preprocessing);
  throw Error(ErrorKind::Unsupported,
              fmt::format("{}: a {} takes no images", model.path().string(), model.info().network));
}

// Names of the map's classes, each different from the others.
std::vector<std::string> class_labels(const Model& model, size_t classes) {
  std::vector<std::string> labels;
  std::set<std::string> files;  // of such names
  for (size_t k = 0; k < classes; ++k) {
    const std::vector<std::string>& known = model.info().class_names;
    const std::string wanted = known.size() == classes ? known[k] : fmt::format("{}", k);
    std::string label = wanted;
    for (int n = 2; !files.insert(safe_file_name(label)).second; ++n) label = fmt::format("{}-{}", wanted, n);
    labels.push_back(label);
  }
  return labels;
}

// Leaves those with as many cameras as the network takes; the others go to `skipped`.
std::vector<BevTask> with_cameras(std::vector<BevTask> tasks, int64_t cameras,
                                  std::vector<SkippedSample>& skipped) {
  const auto has = [](const BevTask& task) { return static_cast<int64_t>(task.sample.cameras.size()); };
  const auto advice = [&](int64_t found) {
    return fmt::format(
        "has {} cameras where the network takes {}; choose them with --cameras, or let it take "
        "{} with --set cameras={}",
        found, cameras, found, found);
  };
  if (std::ranges::none_of(tasks, [&](const BevTask& task) { return has(task) == cameras; }) &&
      !tasks.empty())
    throw Error(ErrorKind::Usage,
                fmt::format("sample {} {}", tasks.front().sample.id, advice(has(tasks.front()))));
  std::vector<BevTask> kept;
  for (BevTask& task : tasks) {
    if (has(task) == cameras)
      kept.push_back(std::move(task));
    else
      skipped.push_back({task.index, fmt::format("sample {} {}", task.sample.id, advice(has(task)))});
  }
  return kept;
}

struct Outcome {
  int64_t samples = 0;  // with those of a run before
  int64_t done = 0;     // by this run
  size_t skipped = 0;
  double planning_seconds = 0, seconds = 0;
  BevSegmenter::Calibrations calibrations;
  std::optional<PlanProfile> profile;

  double rate() const { return static_cast<double>(done) / std::max(seconds, 1e-9); }
};

void report(const Flags& flags, const Outcome& o) {
  if (flags.json) {
    nlohmann::ordered_json j = {
        {"output", flags.output},
        {"samples", o.samples},
        {"skipped", o.skipped},
        {"calibrations", {{"samples", o.calibrations.samples}, {"built", o.calibrations.built}}},
        {"seconds", o.seconds},
        {"samples_per_second", o.rate()},
        {"plans", 1},
        {"planning_seconds", o.planning_seconds}};
    if (o.profile)
      j["profile"] = {{"batch", flags.batch},
                      {"run_ms", o.profile->run_ms},
                      {"changed_run_ms", o.profile->changed_run_ms}};
    fmt::print("{}\n", dump_json(j));
    return;
  }
  fmt::print("{} samples; of {} that ran, the calibration was another one {} times\n", o.samples,
             o.calibrations.samples, o.calibrations.built);
  if (o.profile)
    fmt::print("a run of {} takes {:.2f} ms, and {:.2f} ms where all calibrations are others\n", flags.batch,
               o.profile->run_ms, o.profile->changed_run_ms);
  notice(fmt::format("wrote {}: {:.1f} samples/s", flags.output, o.rate()));
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int run_network(const Flags& flags, const ResumableOptions& declared) {
  const Shard shard = shard_from(flags.shard);
  BevRunOptions options{.folder = flags.output,
                        .images = batch_options(flags),
                        .format = raw_format_from(flags.format),
                        .threshold = static_cast<float>(flags.threshold),
                        .draw = flags.draw};
  const Model model(flags.model);
  model.verify();

  SkippedInputs unread;
  std::vector<Sample> samples = read_samples(flags.inputs, unread);
  const std::string hash = hash_of(samples);
  std::vector<BevTask> tasks = tasks_of(std::move(samples));
  std::vector<SkippedSample> skipped;
  if (shard.index == 0)  // each is of one shard
    for (const std::string& why : unread) skipped.push_back({-1, why});
  std::erase_if(tasks, [&](const BevTask& task) { return !shard.has(task.sample.sequence); });
  const auto listed = static_cast<int64_t>(tasks.size() + skipped.size());

  Outcome outcome;
  auto start = Clock::now();
  Context context(context_options(flags.engine));
  BevSegmenter segmenter(model, context,
                         {precision_from(flags.engine.precision), flags.batch, key_values(flags.set)});
  outcome.planning_seconds = seconds_since(start);
  tasks = with_cameras(std::move(tasks), segmenter.cameras(), skipped);
  options.classes = class_labels(model, static_cast<size_t>(segmenter.classes()));

  make_folder(flags.output);
  BevRun run{.identity = with_samples(declared.identity(model, context), hash)};
  if (!flags.shard.empty()) run.shard = shard;
  run.grid = segmenter.grid();
  run.classes = options.classes;
  BevJournal journal(flags.output, run, flags.resume);
  if (journal.size() > 0)
    notice(fmt::format("going on after {} samples that were done before", journal.size()));

  start = Clock::now();
  outcome.done = run_bev(tasks, image_rule(model), segmenter, options, journal, skipped);
  outcome.seconds = seconds_since(start);
  outcome.samples = journal.size();
  outcome.calibrations = segmenter.calibrations();
  if (flags.profile && outcome.done > 0) outcome.profile = segmenter.profile(kProfileRepeats);

  std::ranges::stable_sort(skipped, {}, &SkippedSample::index);
  SkippedInputs sentences;
  for (const SkippedSample& s : skipped) sentences.push_back(s.message);
  outcome.skipped = sentences.size();
  report_skipped(options.folder / "skipped.txt", sentences, listed, "samples");
  report(flags, outcome);
  journal.finish(std::move(skipped));
  return sentences.empty() ? kDone : kSkipped;
}

int run(const Flags& flags, const ResumableOptions& declared) {
  if (!flags.ipm.ipm) {
    if (flags.model.empty()) throw Error(ErrorKind::Usage, "name a model file, or give --ipm to do without");
    return run_network(flags, declared);
  }
  if (!flags.model.empty())
    throw Error(ErrorKind::Usage,
                fmt::format("--ipm looks down without a network; leave out {}", flags.model));
  return run_ipm(declared, flags.ipm, flags.inputs,
                 {.output = flags.output,
                  .shard = flags.shard,
                  .decoders = batch_options(flags).decoders,
                  .exif = flags.exif,
                  .resume = flags.resume,
                  .json = flags.json});
}

constexpr const char* kExamples =
    "  tyto bev lss.safetensors --nuscenes nuscenes/ --version v1.0-mini --scenes mini_val -o out/ --draw\n"
    "  tyto bev lss.safetensors --samples samples.jsonl --set cameras=4 -o out/\n"
    "  tyto bev --ipm --samples samples.jsonl --grid=-25,25,-25,25,0.1 -o out/";

}  // namespace

void add_bev(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c = app.add_subcommand("bev", "maps of the ground from the images of calibrated rigs");
  c->footer(kExamples + ("\n\n" + c->get_footer()));
  auto options = std::make_shared<ResumableOptions>(*c);
  options->free("model", flags->model, "a model file");
  options->free("-o,--output", flags->output, "folder for bev.jsonl, raw/, grids/, pictures/ and skipped.txt")
      ->required();
  add_sample_inputs(*options, flags->inputs);
  add_ipm_options(*options, flags->ipm);
  options->free("--shard", flags->shard,
                "take part i of n of the sequences only: i/n, counted from 0; `tyto merge` joins the parts, "
                "which with --ipm "
                "stay folders of their own");
  CLI::Option* const ipm = c->get_option("--ipm");
  options->deciding("--set", flags->set, "an option of the network in place of the model file's: cameras=4")
      ->allow_extra_args(false)
      ->excludes(ipm);
  options->deciding("--format", flags->format, "of the network's raw output: safetensors or npz")
      ->capture_default_str()
      ->excludes(ipm);
  options->deciding("--threshold", flags->threshold, "cells with a larger logit are counted and coloured")
      ->check(CLI::Number)
      ->capture_default_str()
      ->excludes(ipm);
  options->deciding("--draw", flags->draw, "make pictures of the map among the cameras")->excludes(ipm);
  options->free("--profile", flags->profile,
                "say what a run costs, and what it costs where calibrations change");
  add_run_flags(*options, *flags);
  c->get_option("--batch")->description("samples a run");
  c->callback([flags, options, &command] { command = [flags, options] { return run(*flags, *options); }; });
}

}  // namespace tyto::apps
