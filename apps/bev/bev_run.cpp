#include "apps/bev/bev_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "apps/bev/bev_pictures.h"
#include "apps/bev/rig_run.h"
#include "apps/console.h"
#include "apps/images/decode.h"
#include "apps/images/encode.h"
#include "apps/images/source.h"
#include "apps/npz.h"
#include "apps/outputs.h"
#include "files/named.h"
#include "files/safetensors.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

constexpr const char* kMap = "map";
constexpr int kPictureQuality = 90;

// The images of rigs of equally many cameras: of sample s and camera c, s * cameras + c.
class RigSource : public ImageSource {
 public:
  RigSource(const std::vector<const BevTask*>& tasks, int64_t cameras, bool apply_exif_orientation)
      : tasks_(tasks), cameras_(cameras), apply_exif_orientation_(apply_exif_orientation) {}

  std::optional<Image> read(int64_t index) override {
    if (index >= *expected()) return std::nullopt;
    return decode(camera(index).image, apply_exif_orientation_);
  }
  std::string name(int64_t index) const override { return camera(index).image.string(); }
  std::optional<int64_t> expected() const override { return static_cast<int64_t>(tasks_.size()) * cameras_; }

 private:
  const SampleCamera& camera(int64_t index) const {
    const BevTask& task = *tasks_[static_cast<size_t>(index / cameras_)];
    return task.sample.cameras[static_cast<size_t>(index % cameras_)];
  }

  const std::vector<const BevTask*>& tasks_;
  const int64_t cameras_;
  const bool apply_exif_orientation_;
};

// A sample, ready to be written.
struct Finished {
  const BevTask* task = nullptr;
  std::map<std::string, Tensor> outputs;  // its own, without the batch's dimension
  std::vector<Image> images;              // their pixels only where pictures are wanted
};

class BevWriter {
 public:
  BevWriter(const BevSegmenter& segmenter, const BevRunOptions& options, BevJournal& journal)
      : grid_(segmenter.grid()), options_(options), journal_(journal) {
    make_folder(options_.folder / "raw");
    for (size_t k = 0; k < options_.classes.size(); ++k)
      make_folder((options_.folder / grid_file("x", k)).parent_path());
    if (options_.draw) make_folder(options_.folder / "pictures");
  }

  void write(const std::vector<Finished>& batch) {
    std::vector<BevLine> lines;
    for (const Finished& f : batch) lines.push_back(files_of(f));
    for (const BevLine& line : lines) journal_.append(line);
    journal_.flush();
  }

 private:
  std::string grid_file(const std::string& output, size_t k) const {
    if (options_.classes.size() == 1) return fmt::format("grids/{}.png", output);
    return fmt::format("grids/{}/{}.png", safe_file_name(options_.classes[k]), output);
  }

  std::string write_raw(const Finished& f) const {
    const bool npz = options_.format == RawFormat::Npz;
    const std::string file = fmt::format("raw/{}.{}", f.task->output, npz ? "npz" : "safetensors");
    if (npz)
      write_npz(options_.folder / file, {f.outputs.begin(), f.outputs.end()});
    else
      write_safetensors(options_.folder / file, f.outputs);
    return file;
  }

  BevLine files_of(const Finished& f) const {
    const Sample& sample = f.task->sample;
    BevLine line{sample.id, sample.sequence, f.task->index, write_raw(f)};
    line.calibration_changed = f.task->calibration_changed;
    const Tensor map = f.outputs.at(kMap).to_f32();
    const std::span<const float> logits = map.as<float>();
    const size_t cells = logits.size() / options_.classes.size();
    std::vector<cv::Mat> seen;
    for (size_t k = 0; k < options_.classes.size(); ++k) {
      const std::span<const float> of_class = logits.subspan(k * cells, cells);
      seen.push_back(seen_from_above(of_class, grid_));
      line.grids.push_back(grid_file(f.task->output, k));
      write_png(options_.folder / line.grids.back(), probability_picture(seen.back()));
      const auto over = std::ranges::count_if(of_class, [&](float l) { return l > options_.threshold; });
      line.cells.emplace_back(options_.classes[k], over);
    }
    if (options_.draw) {
      line.picture = fmt::format("pictures/{}.jpg", f.task->output);
      write_jpeg(options_.folder / line.picture,
                 scene_picture({sample, f.images, grid_, seen, options_.classes, options_.threshold}),
                 kPictureQuality);
    }
    return line;
  }

  const BevGridInfo grid_;
  const BevRunOptions& options_;
  BevJournal& journal_;
};

}  // namespace

std::vector<BevTask> tasks_of(std::vector<Sample> samples) {
  std::vector<BevTask> tasks;
  std::unordered_set<std::string> taken;
  std::unordered_map<std::string, Rig> before;  // of each sequence
  for (Sample& sample : samples) {
    BevTask task{std::move(sample), static_cast<int64_t>(tasks.size()), {}, true};
    const std::string wanted = safe_file_name(task.sample.id);
    task.output = wanted;
    for (int n = 2; !taken.insert(task.output).second; ++n) task.output = fmt::format("{}-{}", wanted, n);
    Rig rig = task.sample.rig();
    const auto [last, first_of_sequence] = before.try_emplace(task.sample.sequence, rig);
    if (!first_of_sequence) task.calibration_changed = last->second != rig;
    last->second = std::move(rig);
    tasks.push_back(std::move(task));
  }
  return tasks;
}

RawFormat raw_format_from(const std::string& name) {
  static constexpr Named<RawFormat> kFormats[] = {{"safetensors", RawFormat::Safetensors},
                                                  {"npz", RawFormat::Npz}};
  return row_named(name, kFormats, "format").value;
}

int64_t run_bev(const std::vector<BevTask>& tasks, const Preprocessing& rule, BevSegmenter& segmenter,
                const BevRunOptions& options, BevJournal& journal, std::vector<SkippedSample>& skipped) {
  std::vector<const BevTask*> left;
  for (const BevTask& task : tasks)
    if (!journal.has(task.sample.id)) left.push_back(&task);
  const int64_t cameras = segmenter.cameras();
  RigSource source(left, cameras, options.images.apply_exif_orientation);
  const auto task_of = [&](int64_t sample) { return left[static_cast<size_t>(sample)]; };
  RigRun run(
      source, [&](int64_t sample) { return task_of(sample)->sample.rig(); }, rule, segmenter, options.images,
      options.draw);
  Progress progress("looking from above", static_cast<int64_t>(left.size()));
  BevWriter writer(segmenter, options, journal);
  int64_t done = 0;
  std::future<void> writing;  // waits when it is destroyed

  while (auto step = run.next()) {
    for (const Skipped& s : step->skipped) {
      const BevTask& task = *task_of(s.index);
      skipped.push_back({task.index, fmt::format("sample {}: {}", task.sample.id, s.message)});
    }
    std::vector<Finished> finished;
    for (RigRun::Result& result : step->results)
      finished.push_back({task_of(result.sample), std::move(result.outputs), std::move(result.images)});
    const auto count = static_cast<int64_t>(finished.size());
    if (count > 0) {
      if (writing.valid()) writing.get();
      writing = std::async(std::launch::async, [&writer, work = std::move(finished)] { writer.write(work); });
    }
    done += count;
    progress.advance(count + static_cast<int64_t>(step->skipped.size()));
    check_interrupted();
  }
  if (writing.valid()) writing.get();
  return done;
}

}  // namespace tyto::apps
