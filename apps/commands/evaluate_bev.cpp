#include "apps/commands/evaluate_bev.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "apps/bev/array_file.h"
#include "apps/bev/bev_folder.h"
#include "apps/bev/grid_labels.h"
#include "apps/bev/grid_report.h"
#include "apps/bev/nuscenes_labels.h"
#include "apps/bev/nuscenes_samples.h"
#include "apps/command.h"
#include "apps/commands/sample_inputs.h"
#include "apps/console.h"
#include "apps/detection/left_out.h"
#include "apps/outputs.h"
#include "files/file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

// The runs that are judged, as one.
struct Predictions {
  BevGridInfo grid;
  std::vector<std::string> classes;
  std::map<std::string, std::filesystem::path> maps;  // of each sample, its raw outputs

  Shape shape() const {
    const size_t row_axis = grid.rows_are_x ? 0 : 1;
    return {static_cast<int64_t>(classes.size()), grid.cells[row_axis], grid.cells[1 - row_axis]};
  }
};

Predictions read_predictions(const std::vector<std::string>& folders) {
  Predictions all;
  for (const std::string& folder : folders) {
    const BevRun run = read_bev_run(folder);
    if (!run.finished)
      warning(fmt::format("{}: the run that wrote it was stopped; `tyto bev --resume` goes on", folder));
    if (all.classes.empty()) {
      all.grid = run.grid;
      all.classes = run.classes;
    } else if (run.grid != all.grid || run.classes != all.classes) {
      throw Error(ErrorKind::Format,
                  fmt::format("{} and {} have different grids or classes; judge them one by one",
                              folders.front(), folder));
    }
    for_each_bev_line(folder, [&](const BevLine& line) {
      const auto [other, is_new] = all.maps.emplace(line.id, std::filesystem::path(folder) / line.raw);
      if (!is_new)
        throw Error(ErrorKind::Format, fmt::format("{}: the sample {} stands twice, also in {}", folder,
                                                   line.id, other->second.string()));
    });
  }
  return all;
}

// What should have been found.
struct Truth {
  std::string where, what;                              // for messages and the report
  std::vector<std::string> samples;                     // ids
  std::function<Tensor(const std::string& id)> labels;  // U8 [classes, rows, columns]
};

Truth from_files(const std::string& folder, const Predictions& predictions) {
  Truth truth{folder, "labels of files", {}, {}};
  // A file's name need not be the whole id.
  std::map<std::string, std::string> ids;
  for (const auto& [id, map] : predictions.maps) ids.emplace(safe_file_name(id), id);
  for (const std::string& name : labelled_samples(folder)) {
    const auto known = ids.find(name);
    truth.samples.push_back(known == ids.end() ? name : known->second);
  }
  truth.labels = [folder, shape = predictions.shape()](const std::string& id) {
    std::optional<Tensor> labels = read_labels(folder, id, shape[0], shape[1], shape[2]);
    if (!labels) throw Error(ErrorKind::File, fmt::format("{}: the labels of {} are gone", folder, id));
    return *std::move(labels);
  };
  return truth;
}

Truth from_nuscenes(const BevTruth& options, const Predictions& predictions) {
  if (predictions.classes.size() != 1)
    throw Error(
        ErrorKind::Usage,
        fmt::format("--nuscenes has labels of vehicles alone, but the maps have {} classes; write those of "
                    "all into a folder for --labels",
                    predictions.classes.size()));
  const NuscenesTree tree = tree_of(
      {.samples = {}, .nuscenes = options.nuscenes, .version = options.version, .scenes = {}, .cameras = {}});
  SkippedInputs skipped;
  auto samples = std::make_shared<std::map<std::string, Sample>>();
  Truth truth{options.nuscenes, "vehicles' boxes of nuScenes", {}, {}};
  const std::vector<Sample> listed = read_nuscenes(tree, {}, options.scenes, skipped);
  for (const std::string& why : skipped) warning(why + "; it is not judged");
  auto boxes = std::make_shared<const VehicleBoxes>(read_vehicle_boxes(tree, listed));
  for (const Sample& sample : listed) {
    truth.samples.push_back(sample.id);
    samples->emplace(sample.id, sample);
  }
  truth.labels = [samples, boxes, grid = predictions.grid](const std::string& id) {
    return vehicle_labels(samples->at(id), boxes->at(id), grid);
  };
  return truth;
}

Tensor read_map(const std::filesystem::path& file, const Shape& shape) {
  Tensor map = read_array(file, "map").to_f32();
  if (map.shape() != shape)
    throw Error(ErrorKind::Shape, fmt::format("{} has a map of {}, but the run's grid is {}", file.string(),
                                              map.shape().str(), shape.str()));
  return map;
}

void report_gaps(const Predictions& predictions, const Truth& truth) {
  const std::set<std::string> judged(truth.samples.begin(), truth.samples.end());
  std::vector<std::string> unlabelled, unpredicted;
  for (const auto& [id, map] : predictions.maps)
    if (!judged.contains(id)) unlabelled.push_back(id);
  for (const std::string& id : truth.samples)
    if (!predictions.maps.contains(id)) unpredicted.push_back(id);
  if (!unlabelled.empty())
    warning(fmt::format("{} predicted samples have no labels in {} and were left out: {}", unlabelled.size(),
                        truth.where, some_of(unlabelled)));
  if (!unpredicted.empty())
    warning(fmt::format("{} samples of {} were not looked at, which counts as nothing found in them: {}",
                        unpredicted.size(), truth.where, some_of(unpredicted)));
  if (unlabelled.size() == predictions.maps.size())
    throw Error(ErrorKind::Usage, fmt::format("none of {} predicted samples has labels in {}",
                                              predictions.maps.size(), truth.where));
}

GridEvaluation judge(const Predictions& predictions, const Truth& truth, float threshold) {
  const Shape shape = predictions.shape();
  const auto cells = static_cast<size_t>(shape[1] * shape[2]);
  const std::vector<float> nothing(cells, -std::numeric_limits<float>::infinity());
  GridEvaluation evaluation{truth.what, threshold, 0, 0, predictions.classes, {}};
  evaluation.overlaps.resize(predictions.classes.size());
  Progress progress("evaluating", static_cast<int64_t>(truth.samples.size()));
  for (const std::string& id : truth.samples) {
    const Tensor labels = truth.labels(id);
    const auto map = predictions.maps.find(id);
    std::optional<Tensor> logits;
    if (map != predictions.maps.end()) logits = read_map(map->second, shape);
    evaluation.not_predicted += !logits;
    ++evaluation.samples;
    for (size_t c = 0; c < evaluation.overlaps.size(); ++c)
      evaluation.overlaps[c] +=
          grid_overlap(logits ? std::as_const(*logits).as<float>().subspan(c * cells, cells) : nothing,
                       labels.as<uint8_t>().subspan(c * cells, cells), threshold);
    progress.advance();
    check_interrupted();
  }
  return evaluation;
}

}  // namespace

int evaluate_bev(const std::vector<std::string>& folders, const BevTruth& options, const std::string& out,
                 bool json) {
  if (options.labels.empty() == options.nuscenes.empty())
    throw Error(ErrorKind::Usage, "--bev needs one of --labels DIR and --nuscenes DIR to judge maps by");
  const Predictions predictions = read_predictions(folders);
  const Truth truth =
      options.labels.empty() ? from_nuscenes(options, predictions) : from_files(options.labels, predictions);
  report_gaps(predictions, truth);
  const GridEvaluation evaluation = judge(predictions, truth, options.threshold);
  const std::string report = grid_json(evaluation);
  if (!out.empty()) {
    make_folder(out);
    write_text(std::filesystem::path(out) / "evaluation.json", report + '\n');
  }
  fmt::print("{}", json ? report + '\n' : grid_text(evaluation));
  return kDone;
}

}  // namespace tyto::apps
