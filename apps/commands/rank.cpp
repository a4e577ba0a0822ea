// tyto rank: the nearest gallery images of every query.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "apps/command.h"
#include "apps/console.h"
#include "apps/reid/open_features.h"
#include "apps/reid/ranking.h"
#include "apps/reid/ranking_report.h"
#include "engine/metrics/reid/evaluation.h"

namespace tyto::apps {
namespace {

struct Flags {
  std::vector<std::string> files;
  std::string out, images, feature, camera_rule;
  int64_t top_k = 10;
  bool no_pictures = false, json = false;
};

// Where none is asked for: that of the data set, whose queries and gallery are of different cameras if they
// are of different modalities. Without identities the baseline's rule would take every image for junk.
CameraRule camera_rule(const std::string& wanted, const std::string& dataset, const FeatureSet& gallery) {
  const bool labelled = has_identities(gallery);
  if (wanted == tyto::name_of(CameraRule::Baseline) && !labelled)
    throw Error(
        ErrorKind::Usage,
        "--camera-rule baseline needs identities, and the gallery has none; extract it with --dataset or "
        "--name-pattern, or leave the option out");
  for (const auto rule : {CameraRule::Baseline, CameraRule::None, CameraRule::Sysu})
    if (wanted == tyto::name_of(rule)) return rule;
  if (dataset == "sysu") return CameraRule::Sysu;
  return dataset == "regdb" || !labelled ? CameraRule::None : CameraRule::Baseline;
}

std::string in_words(CameraRule rule) {
  switch (rule) {
    case CameraRule::None:
      return "no camera rule";
    case CameraRule::Sysu:
      return "sysu's camera rule: of camera 2, which stands in the same room, nothing for queries of camera "
             "3";
    case CameraRule::Baseline:
      break;
  }
  return "baseline's camera rule: junk and the query's identity in its own camera left out";
}

// The nearest image of the first few queries, for a person to see at once.
void print_summary(const std::vector<Ranking>& rankings, const FeatureSet& queries,
                   const FeatureSet& gallery) {
  constexpr size_t kShown = 20;
  const size_t shown = std::min(kShown, rankings.size());
  size_t width = 0;
  for (size_t i = 0; i < shown; ++i) width = std::max(width, queries.paths[i].size());
  for (size_t i = 0; i < shown; ++i) {
    if (rankings[i].images.empty()) continue;
    const Ranked& best = rankings[i].images.front();
    fmt::print("{:{}}  {:.3f}  {}\n", queries.paths[i], width, best.score,
               gallery.paths[static_cast<size_t>(best.row)]);
  }
  if (shown < rankings.size()) fmt::print("... and {} more\n", rankings.size() - shown);
}

int rank(const Flags& flags) {
  if (flags.out.empty() && !flags.json)
    throw Error(ErrorKind::Usage, "rank needs a folder to write to, -o DIR, or --json");
  const Features features = open_features(flags.files, flags.feature);
  const FeatureSet& queries = features.sets.at(SetKind::Query);
  const FeatureSet& gallery = features.sets.at(SetKind::Gallery);
  const CameraRule rule = camera_rule(flags.camera_rule, features.provenance.dataset, gallery);

  std::vector<Ranking> rankings;
  {
    Progress progress("ranking", queries.rows());
    rankings = rank_gallery(queries, gallery, flags.top_k, rule, [&](int64_t count) {
      progress.advance(count);
      check_interrupted();
    });
  }
  int64_t unreadable = 0;
  if (!flags.out.empty()) {
    unreadable = write_ranking_report({flags.out, flags.images, !flags.no_pictures, in_words(rule)}, rankings,
                                      features);
    if (unreadable > 0)
      warning(fmt::format(
          "{} images could not be read and are grey in the pictures; --images DIR says where they are",
          unreadable));
  }
  if (flags.json) {
    for (const Ranking& ranking : rankings) fmt::print("{}\n", json_line(ranking, queries, gallery));
  } else {
    print_summary(rankings, queries, gallery);
    const std::string feature = named_feature(features.provenance);
    notice(fmt::format("{} queries against {} images{}, {}; open {}", queries.rows(), gallery.rows(),
                       feature.empty() ? "" : " by their " + feature + " features", in_words(rule),
                       (std::filesystem::path(flags.out) / "index.html").string()));
  }
  return unreadable > 0 ? kSkipped : kDone;
}

}  // namespace

void add_rank(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c = app.add_subcommand("rank", "the nearest gallery images of every query, with pictures");
  c->add_option("files", flags->files, "features files; sets and shards are put together")->required();
  c->add_option("-o,--output", flags->out, "folder for ranking.jsonl, pictures/ and index.html");
  c->add_option("--feature", flags->feature, kFeatureHelp);
  c->add_option("--top-k", flags->top_k, "images per query")
      ->check(CLI::Range(int64_t{1}, int64_t{1000}))
      ->capture_default_str();
  c->add_option("--camera-rule", flags->camera_rule,
                "which images are left out; sysu of features of --dataset sysu, none of regdb's, baseline of "
                "others where the gallery has identities, else none")
      ->check(CLI::IsMember({"baseline", "none", "sysu"}));
  c->add_option("--images", flags->images, "folder in which to find the images, if they have moved");
  c->add_flag("--no-pictures", flags->no_pictures, "write names and scores only");
  c->add_flag("--json", flags->json, "print the JSON lines");
  c->callback([flags, &command] { command = [flags] { return rank(*flags); }; });
}

}  // namespace tyto::apps
