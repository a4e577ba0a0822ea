// tyto evaluate: how good the rankings are, or the detections.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "apps/command.h"
#include "apps/commands/evaluate_detections.h"
#include "apps/console.h"
#include "apps/reid/evaluation_report.h"
#include "apps/reid/open_features.h"
#include "engine/metrics/voc_metrics.h"

namespace tyto::apps {
namespace {

struct Flags {
  std::vector<std::string> files;
  std::string out, protocol = "baseline", ap, divisor, camera_rule;
  bool multi_query = false, json = false;
  DetectionTruth truth;  // given: the files hold detections
};

// A protocol with a rule replaced is no longer the one of that name.
Protocol protocol_of(const Flags& flags) {
  const Protocol named = protocol(flags.protocol);
  Protocol p = named;
  if (!flags.ap.empty()) p.ap = flags.ap == name_of(ApRule::Plain) ? ApRule::Plain : ApRule::Trapezoid;
  if (!flags.divisor.empty())
    p.divisor = flags.divisor == name_of(Divisor::AllQueries) ? Divisor::AllQueries : Divisor::ValidQueries;
  for (const auto rule : {CameraRule::Baseline, CameraRule::None, CameraRule::Sysu})
    if (flags.camera_rule == tyto::name_of(rule)) p.cameras = rule;
  if (p.ap != named.ap || p.divisor != named.divisor || p.cameras != named.cameras) p.name += " (altered)";
  return p;
}

Labels labels_of(const FeatureSet& set) { return {set.ids, set.cameras}; }

int evaluate_features(const Flags& flags) {
  const Protocol rules = protocol_of(flags);
  const Features features = open_features(flags.files);
  const FeatureSet& queries = features.sets.at(SetKind::Query);
  const FeatureSet& gallery = features.sets.at(SetKind::Gallery);
  if (!has_identities(queries) || !has_identities(gallery))
    throw Error(
        ErrorKind::Usage,
        fmt::format("the {} images have no identities (names read as {}), so nothing can be judged; extract "
                    "them with --dataset or --name-pattern",
                    has_identities(queries) ? "gallery" : "query", features.provenance.dataset));

  Tensor query_features = queries.features;
  if (flags.multi_query) {
    const FeatureSet& others = features.set(SetKind::MultiQuery, flags.files.front());
    query_features =
        average_multi_queries(queries.features, labels_of(queries), others.features, labels_of(others));
  }
  Evaluation evaluation;
  {
    Progress progress("evaluating", queries.rows());
    evaluation = evaluate(query_features, labels_of(queries), gallery.features, labels_of(gallery), rules,
                          [&](int64_t count) {
                            progress.advance(count);
                            check_interrupted();
                          });
  }
  if (!flags.out.empty()) write_evaluation_report(evaluation, flags.out);
  fmt::print("{}", flags.json ? evaluation_json(evaluation) + '\n' : evaluation_text(evaluation));
  if (!flags.out.empty())
    notice(fmt::format("the CMC curve is in {}", (std::filesystem::path(flags.out) / "cmc.svg").string()));
  return kDone;
}

}  // namespace

void add_evaluate(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c =
      app.add_subcommand("evaluate", "Rank@k, mAP and mINP of features; COCO's or VOC's mAP of detections");
  c->add_option("files", flags->files,
                "features files, whose sets and shards are put together; or detections.jsonl or COCO results")
      ->required();
  c->add_option("-o,--output", flags->out,
                "folder for evaluation.json and, of features, cmc.png and cmc.svg");
  c->add_flag("--json", flags->json, "print JSON");

  CLI::Option_group* features = c->add_option_group("Features");
  features->add_option("--protocol", flags->protocol, "whose rules to follow")
      ->check(CLI::IsMember(protocol_names()))
      ->capture_default_str();
  features->add_option("--ap", flags->ap, "average precision, instead of the protocol's")
      ->check(CLI::IsMember({"trapezoid", "plain"}));
  features->add_option("--divisor", flags->divisor, "mean over all queries or those with a match, likewise")
      ->check(CLI::IsMember({"all", "valid"}));
  features->add_option("--camera-rule", flags->camera_rule, "which images are left out, likewise")
      ->check(CLI::IsMember({"baseline", "none", "sysu"}));
  features->add_flag("--multi-query", flags->multi_query, "average the multi-query features of every query");

  CLI::Option_group* detections = c->add_option_group("Detections");
  CLI::Option* coco = detections->add_option("--coco-annotations", flags->truth.coco_annotations,
                                             "judge detections by this instances.json, as pycocotools does");
  CLI::Option* voc = detections->add_option(
      "--voc", flags->truth.voc, "judge detections by this folder with Annotations, as in VOC2007");
  detections
      ->add_option("--split", flags->truth.split,
                   "of --voc: ImageSets/Main/SPLIT.txt; default test, else val")
      ->needs(voc);
  detections->add_option("--voc-rule", flags->truth.voc_rule, "of --voc: whose reading of the boxes")
      ->check(CLI::IsMember(voc_rule_names()))
      ->capture_default_str()
      ->needs(voc);
  coco->excludes(voc);
  for (CLI::Option* option : features->get_options())
    if (option != features->get_help_ptr()) option->excludes(coco)->excludes(voc);

  c->callback([flags, &command] {
    command = [flags] {
      return flags->truth.given() ? evaluate_detections(flags->files, flags->truth, flags->out, flags->json)
                                  : evaluate_features(*flags);
    };
  });
}

}  // namespace tyto::apps
