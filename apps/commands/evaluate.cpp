// tyto evaluate: how good the rankings are, or the detections, or the maps of the ground.
#include <memory>

#include "apps/command.h"
#include "apps/commands/evaluate_bev.h"
#include "apps/commands/evaluate_detections.h"
#include "apps/commands/evaluate_features.h"
#include "apps/reid/open_features.h"
#include "engine/metrics/reid/evaluation.h"
#include "engine/metrics/voc_metrics.h"

namespace tyto::apps {
namespace {

struct Flags {
  std::vector<std::string> files;
  std::string out;
  bool json = false;
  FeatureRules rules;
  DetectionTruth truth;  // given: the files hold detections
  BevTruth bev;          // given: they are folders of maps
};

}  // namespace

void add_evaluate(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c = app.add_subcommand(
      "evaluate",
      "Rank@k, mAP and mINP of features; COCO's or VOC's mAP of detections; IoU of maps of the ground");
  c->add_option(
       "files", flags->files,
       "features files, whose sets and shards are put together, though with --protocol regdb each split "
       "is a trial; or detections.jsonl or COCO results; or, with --bev, folders that tyto bev wrote")
      ->required();
  c->add_option("-o,--output", flags->out,
                "folder for evaluation.json and, of features, cmc.png and cmc.svg");
  c->add_flag("--json", flags->json, "print JSON");

  CLI::Option_group* features = c->add_option_group("Features");
  features->add_option("--feature", flags->rules.feature, kFeatureHelp);
  features
      ->add_option("--protocol", flags->rules.protocol,
                   "whose rules to follow; published accuracies on SYSU-MM01 and RegDB could not be checked "
                   "without the data sets")
      ->check(CLI::IsMember(protocol_names()))
      ->capture_default_str();
  features->add_option("--ap", flags->rules.ap, "average precision, instead of the protocol's")
      ->check(CLI::IsMember({"trapezoid", "plain"}));
  features
      ->add_option("--divisor", flags->rules.divisor, "mean over all queries or those with a match, likewise")
      ->check(CLI::IsMember({"all", "valid"}));
  features->add_option("--camera-rule", flags->rules.camera_rule, "which images are left out, likewise")
      ->check(CLI::IsMember({"baseline", "none", "sysu"}));
  features->add_flag("--multi-query", flags->rules.multi_query,
                     "average the multi-query features of every query");

  features
      ->add_option("--mode", flags->rules.mode,
                   "of sysu: galleries of cameras 1, 2, 4, 5 (all, the default) or of 1, 2 (indoor)")
      ->check(CLI::IsMember({"all", "indoor"}));
  features
      ->add_option(
          "--shots", flags->rules.shots,
          "of sysu: images that a gallery has of an identity and camera; default 1, multi-shot is 10. One is "
          "drawn as AGW's code does, several by Python's random.sample: no published code draws those in a "
          "way that can be repeated")
      ->check(CLI::Range(1, 1'000'000));
  features
      ->add_option("--trials", flags->rules.trials,
                   "of sysu: galleries to draw, by seeds 0, 1 ...; mean and spread are reported; default 10")
      ->check(CLI::Range(1, 1000));
  features->add_option("--permutations", flags->rules.permutations,
                       "of sysu: draw by the rand_perm_cam.mat of the data set's own evaluation code");
  features
      ->add_option(
          "--direction", flags->rules.direction,
          "of regdb: visible-to-thermal, as the files have them, is the default; the other way round "
          "queries and gallery are swapped")
      ->check(CLI::IsMember({"visible-to-thermal", "thermal-to-visible"}));

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

  CLI::Option_group* maps = c->add_option_group("Maps of the ground");
  CLI::Option* bev = maps->add_flag("--bev", flags->bev.bev,
                                    "judge maps as Lift-Splat-Shoot does: intersections and unions of cells "
                                    "are summed over all samples")
                         ->excludes(coco)
                         ->excludes(voc);
  CLI::Option* labels =
      maps->add_option("--labels", flags->bev.labels,
                       "a folder with ID.png, .npy, .npz or .safetensors of each sample: [classes, rows, "
                       "columns] as the network's map has them, not 0 where a cell is of the class; of a "
                       "picture, the classes' maps one below the other")
          ->needs(bev);
  CLI::Option* nuscenes =
      maps->add_option(
              "--nuscenes", flags->bev.nuscenes,
              "instead, a nuScenes data set: the boxes of vehicles, drawn by Lift-Splat-Shoot's rule")
          ->needs(bev)
          ->excludes(labels);
  maps->add_option("--version", flags->bev.version, "of --nuscenes, as of tyto bev")->needs(nuscenes);
  maps->add_option("--scenes", flags->bev.scenes, "of --nuscenes, which are judged, as of tyto bev")
      ->needs(nuscenes);
  maps->add_option("--threshold", flags->bev.threshold, "a cell counts as found whose logit is greater")
      ->capture_default_str()
      ->needs(bev);
  for (CLI::Option* option : features->get_options())
    if (option != features->get_help_ptr()) option->excludes(coco)->excludes(voc)->excludes(bev);

  c->callback([flags, &command] {
    command = [flags] {
      if (flags->bev.bev) return evaluate_bev(flags->files, flags->bev, flags->out, flags->json);
      return flags->truth.given() ? evaluate_detections(flags->files, flags->truth, flags->out, flags->json)
                                  : evaluate_features(flags->files, flags->rules, flags->out, flags->json);
    };
  });
}

}  // namespace tyto::apps
