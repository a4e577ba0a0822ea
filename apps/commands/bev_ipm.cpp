#include "apps/commands/bev_ipm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <span>

#include "apps/bev/ipm.h"
#include "apps/bev/ipm_journal.h"
#include "apps/bev/samples_identity.h"
#include "apps/command.h"
#include "apps/console.h"
#include "apps/images/encode.h"
#include "apps/images/loader.h"
#include "apps/images/source.h"
#include "apps/shard.h"
#include "files/json.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

struct MosaicRule {
  GroundGrid grid;
  Blend blend;
  std::span<const double> heights;
};

MosaicRule rule_of(const IpmFlags& flags) {
  if (flags.grid.empty())
    throw Error(ErrorKind::Usage, "--ipm needs --grid x0,x1,y0,y1,step in metres, e.g. -25,25,-25,25,0.1");
  std::vector<double> sorted = flags.heights;
  std::ranges::sort(sorted);
  if (!std::ranges::all_of(sorted, [](double z) { return std::isfinite(z); }) ||
      std::ranges::adjacent_find(sorted) != sorted.end())
    throw Error(ErrorKind::Usage, "--heights: a height that is no number, or stands twice");
  return {ground_grid(flags.grid), blend_of(flags.blend), flags.heights};
}

// Writes the pictures before the line that names them.
IpmLine write_mosaics(const std::filesystem::path& folder, const Sample& sample,
                      std::span<const Image> images, const MosaicRule& rule) {
  IpmLine line{sample.id, sample.sequence, {}};
  const std::vector<Mosaic> mosaics =
      ground_mosaics(sample.rig(), images, rule.grid, rule.blend, rule.heights);
  for (size_t i = 0; i < mosaics.size(); ++i) {
    const Mosaic& mosaic = mosaics[i];
    const std::string height = mosaics.size() == 1 ? "" : fmt::format("_z{}", rule.heights[i]);
    const std::string file = fmt::format("mosaics/{}{}.png", safe_file_name(sample.id), height);
    const cv::Mat rgba(mosaic.rows, mosaic.columns, CV_8UC4, const_cast<uint8_t*>(mosaic.rgba.data()));
    cv::Mat bgra;
    cv::cvtColor(rgba, bgra, cv::COLOR_RGBA2BGRA);
    write_png(folder / file, bgra);
    line.mosaics.push_back(
        {rule.heights[i], file, static_cast<double>(mosaic.seen) / (int64_t{mosaic.rows} * mosaic.columns)});
  }
  return line;
}

// Samples of one number of cameras, which the loader gives one by one.
void run_samples(std::span<const Sample> samples, const MosaicRule& rule, const IpmRun& run,
                 IpmJournal& journal, Progress& progress, SkippedInputs& skipped) {
  std::vector<std::filesystem::path> paths;
  for (const Sample& sample : samples)
    for (const SampleCamera& camera : sample.cameras) paths.push_back(camera.image);
  FileSource source(std::move(paths), run.exif);
  const auto cameras = static_cast<int64_t>(samples.front().cameras.size());
  ImageLoader loader(
      source, Preprocessing{},
      {.batch = 1, .views = cameras, .threads = run.decoders, .preprocess = false, .keep_images = true});
  while (std::optional<Batch> batch = loader.next()) {
    check_interrupted();
    for (const Skipped& s : batch->skipped)
      skipped.push_back(
          fmt::format("sample {}: {}", samples[static_cast<size_t>(s.index / cameras)].id, s.message));
    progress.advance(static_cast<int64_t>(batch->skipped.size()));
    if (batch->indices.empty()) continue;
    const Sample& sample = samples[static_cast<size_t>(batch->indices.front() / cameras)];
    journal.append(write_mosaics(run.output, sample, batch->images, rule));
    progress.advance();
    loader.recycle(std::move(*batch));
  }
}

void print_summary(const IpmRun& run, int64_t samples, size_t skipped, double rate) {
  if (run.json)
    fmt::print("{}\n", dump_json({{"output", run.output},
                                  {"samples", samples},
                                  {"skipped", skipped},
                                  {"samples_per_second", rate}}));
  else
    fmt::print("{} mosaics of the ground in {}\n", samples, run.output);
}

}  // namespace

void add_ipm_options(ResumableOptions& options, IpmFlags& flags) {
  CLI::Option* ipm =
      options.deciding("--ipm", flags.ipm,
                       "without a network: the ground as the calibrated cameras see it, from above; what "
                       "stands on it is smeared away from its camera");
  options
      .deciding("--grid", flags.grid, "of --ipm: x0,x1,y0,y1,step in metres, x forward and y left of the ego")
      ->needs(ipm);
  options
      .deciding("--heights", flags.heights,
                "of --ipm: planes above the ground to look at, in metres, a picture each; default 0")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->needs(ipm);
  options
      .deciding(
          "--blend", flags.blend,
          "of --ipm: what a cell gets that several cameras see: their mean weighted by how near and how "
          "squarely each sees it (weighted), their plain mean, or that of the first or last of them")
      ->check(CLI::IsMember(blend_names()))
      ->capture_default_str()
      ->needs(ipm);
}

int run_ipm(const ResumableOptions& options, const IpmFlags& flags, const SampleInputs& inputs,
            const IpmRun& run) {
  const MosaicRule rule = rule_of(flags);
  const Shard shard = shard_from(run.shard);
  SkippedInputs skipped;
  std::vector<Sample> samples = read_samples(inputs, skipped);
  const std::string hash = hash_of(samples);
  std::erase_if(samples, [&](const Sample& sample) { return !shard.has(sample.sequence); });
  const auto total = static_cast<int64_t>(samples.size() + skipped.size());

  make_folder(std::filesystem::path(run.output) / "mosaics");
  IpmJournal journal(run.output, with_samples(options.identity(), hash), run.resume);
  std::erase_if(samples, [&](const Sample& sample) { return journal.has(sample.id); });
  Progress progress("looking down", static_cast<int64_t>(samples.size()));
  for (size_t first = 0; first < samples.size();) {
    const size_t cameras = samples[first].cameras.size();
    const auto end = std::find_if(samples.begin() + static_cast<int64_t>(first), samples.end(),
                                  [&](const Sample& sample) { return sample.cameras.size() != cameras; });
    const auto last = static_cast<size_t>(end - samples.begin());
    run_samples(std::span(samples).subspan(first, last - first), rule, run, journal, progress, skipped);
    first = last;
  }
  journal.finish();
  report_skipped(std::filesystem::path(run.output) / "skipped.txt", skipped, total, "samples");
  print_summary(run, journal.size(), skipped.size(), progress.rate());
  return skipped.empty() ? kDone : kSkipped;
}

}  // namespace tyto::apps
