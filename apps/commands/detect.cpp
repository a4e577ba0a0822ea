// tyto detect: labelled boxes in images and videos.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>

#include "apps/command.h"
#include "apps/commands/engine_flags.h"
#include "apps/commands/key_values.h"
#include "apps/console.h"
#include "apps/detection/class_labels.h"
#include "apps/detection/coco_results.h"
#include "apps/detection/detection_run.h"
#include "files/file.h"
#include "files/json.h"

namespace tyto::apps {
namespace {

constexpr double kUsualShowThreshold = 0.5;

struct Flags : RunFlags {
  std::string model, output, crops, trace, coco, coco_annotations;
  std::vector<std::string> inputs, classes, set;
  std::optional<double> score_threshold, show_threshold;
  int64_t every = 1;
  bool draw = false;

  double shown_from() const { return show_threshold.value_or(score_threshold.value_or(kUsualShowThreshold)); }
};

std::map<std::string, std::string> network_options(const Flags& flags) {
  std::map<std::string, std::string> set = key_values(flags.set);
  if (flags.score_threshold) set["score_threshold"] = fmt::format("{}", *flags.score_threshold);
  return set;
}

// --batch, or the number of images where that is less: empty rows cost what full ones do. It is that of all
// inputs, whether done before or not, since an image's last bits depend on the batch. Videos tell too late
// how long they are.
int batch_for(const Flags& flags, const std::vector<DetectionInput>& inputs) {
  if (std::ranges::any_of(inputs, &DetectionInput::video)) return flags.batch;
  return static_cast<int>(std::clamp<size_t>(inputs.size(), 1, static_cast<size_t>(flags.batch)));
}

DetectionRunOptions run_options(const Flags& flags, const Detector& detector) {
  DetectionRunOptions options;
  options.images = batch_options(flags);
  options.every = flags.every;
  options.classes = class_labels(flags.classes, detector, "--classes");
  if (flags.draw) options.pictures.annotated = std::filesystem::path(flags.output) / "pictures";
  options.pictures.crops = flags.crops;
  options.trace = flags.trace;
  options.pictures.threshold = static_cast<float>(flags.shown_from());
  return options;
}

void print_summary(const Flags& flags, const DetectionTally& tally, size_t skipped, double seconds,
                   double rate, const ImagePipeline::Planning& planning) {
  int64_t detections = 0, shown = 0;
  std::map<std::string, int64_t> by_class;  // of those shown
  for (const auto& [named, counts] : tally.classes) {
    detections += counts.detections;
    shown += counts.shown;
    if (counts.shown > 0) by_class[named.first] += counts.shown;
  }
  if (flags.json) {
    const nlohmann::ordered_json j = {{"output", flags.output},
                                      {"images", tally.images},
                                      {"detections", detections},
                                      {"show_threshold", flags.shown_from()},
                                      {"shown", shown},
                                      {"shown_by_class", by_class},
                                      {"skipped", skipped},
                                      {"seconds", seconds},
                                      {"images_per_second", rate},
                                      {"plans", planning.plans},
                                      {"planning_seconds", planning.seconds}};
    fmt::print("{}\n", dump_json(j));
    return;
  }
  fmt::print("{} images, {} detections, {} of them with a score of {} and more\n", tally.images, detections,
             shown, flags.shown_from());
  std::vector<std::pair<std::string, int64_t>> classes(by_class.begin(), by_class.end());
  std::ranges::sort(classes, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  for (const auto& [name, number] : classes) fmt::print("{:>9} {}\n", number, for_terminal(name));
  notice(fmt::format("wrote {}: {:.1f} images/s", flags.output, rate));
}

// A file that could not be written after the work is refused before it.
void check_writable(const std::string& file) {
  if (std::filesystem::is_directory(file))
    throw Error(ErrorKind::Usage, fmt::format("--coco {} is a folder; name a file", file));
  const AtomicFile trial(file);
}

void report_categories(const CocoResultsReport& report, const Flags& flags) {
  if (!report.unknown_classes.empty())
    warning(report.unknown_classes.sentence(
        fmt::format("detections of classes that {} lacks, so that {} does not hold them,",
                    flags.coco_annotations, flags.coco)));
  if (report.by_label_id)
    notice(fmt::format("not every detected class is called as in {}, so label_id was taken for category_id",
                       flags.coco_annotations));
}

int run(Flags& flags, const ResumableOptions& declared) {
  if (!flags.coco_annotations.empty() && flags.coco.empty())
    throw Error(ErrorKind::Usage, "--coco-annotations tells the image ids of --coco FILE, which is missing");
  const Model model(flags.model);
  model.verify();
  SkippedInputs skipped;
  std::vector<std::filesystem::path> own = {std::filesystem::path(flags.output) / "pictures"};
  for (const std::string& folder : {flags.crops, flags.trace})
    if (!folder.empty()) own.emplace_back(folder);
  const std::vector<DetectionInput> inputs = list_inputs(flags.inputs, own, skipped);
  const auto total = static_cast<int64_t>(inputs.size() + skipped.size());
  std::optional<CocoAnnotations> annotations;
  if (!flags.coco_annotations.empty()) annotations = read_coco_annotations(flags.coco_annotations);
  const CocoAnnotations* truth = annotations ? &*annotations : nullptr;
  std::map<std::string, CocoId> image_ids;
  if (!flags.coco.empty()) {
    image_ids = coco_image_ids(inputs, truth);
    check_writable(flags.coco);
  }

  Context context(context_options(flags.engine));
  flags.batch = batch_for(flags, inputs);
  BatchDetector detector(
      model, context,
      {precision_from(flags.engine.precision), flags.batch, !flags.trace.empty(), network_options(flags)});
  const DetectionRunOptions options = run_options(flags, detector);
  const std::filesystem::path output = flags.output;
  make_folder(output);
  DetectionJournal journal(output, declared.identity(model, context), flags.resume,
                           static_cast<float>(flags.shown_from()));
  if (journal.size() > 0)
    notice(fmt::format("going on after {} images that were done before", journal.size()));

  const auto start = std::chrono::steady_clock::now();
  const int64_t done = detect_inputs(inputs, model, detector, options, journal, skipped);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  if (journal.size() == 0)
    throw Error(ErrorKind::File,
                fmt::format("none of {} inputs could be read; the first: {}", total, skipped.front()));
  if (!flags.coco.empty())
    report_categories(write_coco_results(flags.coco, journal.path(), journal.tally(), image_ids, truth),
                      flags);
  report_skipped(output / "skipped.txt", skipped, total, "images and videos");
  const double rate = static_cast<double>(done) / std::max(elapsed.count(), 1e-9);
  print_summary(flags, journal.tally(), skipped.size(), elapsed.count(), rate, detector.planning());
  journal.finish();
  return skipped.empty() ? kDone : kSkipped;
}

}  // namespace

void add_detect(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c = app.add_subcommand("detect", "labelled boxes in images and videos");
  auto options = std::make_shared<ResumableOptions>(*c);
  options->free("model", flags->model, "a model file")->required();
  options->deciding("inputs", flags->inputs, "folders, images, videos")->required();
  options->free("-o,--output", flags->output, "folder for detections.jsonl, skipped.txt and pictures/")
      ->required();
  options->deciding("--draw", flags->draw,
                    "make annotated pictures, and of a video an annotated .mov that keeps its times");
  options->deciding("--crops", flags->crops, "folder for the boxes, cut out, as `tyto extract` takes them");
  options->deciding(
      "--trace", flags->trace,
      "folder for the raw tensors of each step (the network's input, head outputs, proposals, pooled "
      "features, detections), a safetensors file an image: why do boxes differ?");
  options->free("--coco", flags->coco, "a COCO results file to write");
  options->free(
      "--coco-annotations", flags->coco_annotations,
      "a COCO instances or image_info file, which tells the image ids by file name, else names are the ids: "
      "000000397133.jpg");
  options->deciding("--score-threshold", flags->score_threshold, "keep boxes of higher scores only")
      ->check(CLI::Range(0.0, 1.0));
  options
      ->deciding("--show-threshold", flags->show_threshold,
                 fmt::format("the least score that --draw and --crops show; --score-threshold, else {}",
                             kUsualShowThreshold))
      ->check(CLI::Range(0.0, 1.0));
  options->deciding("--classes", flags->classes, "names or numbers of the classes to keep: person,car")
      ->delimiter(',')
      ->allow_extra_args(false);
  options
      ->deciding("--set", flags->set,
                 "an option of the network in place of the model file's: iou_threshold=0.5")
      ->allow_extra_args(false);
  options->deciding("--every", flags->every, "of a video's frames, each Nth")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 31))
      ->capture_default_str();
  add_run_flags(*options, *flags);
  c->get_option("--batch")->description(batch_help("images a run, fewer where there are fewer and no video"));
  c->callback([flags, options, &command] { command = [flags, options] { return run(*flags, *options); }; });
}

}  // namespace tyto::apps
