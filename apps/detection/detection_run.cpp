#include "apps/detection/detection_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <optional>
#include <utility>

#include "apps/console.h"
#include "apps/images/video.h"
#include "engine/images/preprocessing.h"
#include "files/safetensors.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

// An image or a frame, ready to be written.
struct Finished {
  std::string output;  // see DetectionInput
  int64_t time = 0;    // of a frame
  Image image;         // its pixels only where pictures are wanted
  ImageDetections line;
  Detector::Trace trace;
};

class DetectionRun {
 public:
  DetectionRun(const Model& model, BatchDetector& detector, const DetectionRunOptions& options,
               DetectionJournal& journal, SkippedInputs& skipped)
      : rule_(preprocessing_from_json(model.image_input().preprocessing)),
        detector_(detector),
        options_(options),
        journal_(journal),
        skipped_(skipped),
        pictures_(options.pictures) {
    if (!options.trace.empty()) make_folder(options.trace);
  }

  void detect_images(const std::vector<DetectionInput>& images);
  void detect_video(const DetectionInput& video);
  int64_t done() const { return done_; }

 private:
  template <class OutputOf, class TimeOf>
  void detect(ImageSource& source, const std::string& what, int64_t total, const OutputOf& output_of,
              const TimeOf& time_of);
  std::vector<NamedDetection> named(const std::vector<Detection>& found) const;
  void write(const std::vector<Finished>& batch);

  const Preprocessing rule_;
  BatchDetector& detector_;
  const DetectionRunOptions& options_;
  DetectionJournal& journal_;
  SkippedInputs& skipped_;
  DetectionPictures pictures_;
  int64_t done_ = 0;
};

std::vector<NamedDetection> DetectionRun::named(const std::vector<Detection>& found) const {
  std::vector<NamedDetection> out;
  for (const Detection& d : found) {
    if (!options_.classes.empty() && !options_.classes.contains(d.label)) continue;
    out.push_back({detector_.name(d.label), d});
  }
  return out;
}

void DetectionRun::write(const std::vector<Finished>& batch) {
  for (const Finished& f : batch)
    if (pictures_.wanted()) pictures_.add(f.output, f.image, f.time, f.line.detections);
  for (const Finished& f : batch)
    if (!options_.trace.empty()) {
      const std::filesystem::path path = options_.trace / (f.output + ".safetensors");
      make_folder(path.parent_path());
      write_safetensors(path, f.trace);
    }
  for (const Finished& f : batch) journal_.append(f.line);
  journal_.flush();
}

// While the network runs, the batches before are drawn and written.
template <class OutputOf, class TimeOf>
void DetectionRun::detect(ImageSource& source, const std::string& what, int64_t total,
                          const OutputOf& output_of, const TimeOf& time_of) {
  Progress progress(what, total);
  std::future<void> writing;  // waits when it is destroyed
  const auto take = [&](std::vector<ImageResult<Found>> images) {
    std::vector<Finished> finished;
    for (auto& [index, image, found] : images) {
      ImageDetections line = {source.name(index), image.width, image.height, named(found.detections)};
      finished.push_back(
          {output_of(index), time_of(index), std::move(image), std::move(line), std::move(found.trace)});
    }
    done_ += static_cast<int64_t>(finished.size());
    if (writing.valid()) writing.get();
    writing = std::async(std::launch::async, [this, work = std::move(finished)] { write(work); });
  };
  run_batches(source, rule_, detector_, options_.images, pictures_.wanted(), progress, skipped_, take);
  if (writing.valid()) writing.get();
}

void DetectionRun::detect_images(const std::vector<DetectionInput>& images) {
  std::vector<std::filesystem::path> files;
  std::vector<std::optional<ImageSize>> done_before;
  for (const DetectionInput& i : images) {
    files.push_back(i.file);
    done_before.push_back(journal_.size_of(i.name()));
  }
  const auto left = std::ranges::count_if(done_before, [](const auto& size) { return !size; });
  if (left == 0) return;
  FileSource source(std::move(files), options_.images.apply_exif_orientation, std::move(done_before));
  detect(
      source, "detecting", left, [&](int64_t index) { return images[static_cast<size_t>(index)].output; },
      [](int64_t) { return 0; });
}

void DetectionRun::detect_video(const DetectionInput& video) {
  std::optional<VideoSource> source;
  try {
    source.emplace(video.file, options_.every);
  } catch (const Error& error) {
    skipped_.push_back(error.what());
    return;
  }
  const int64_t done_before = done_;
  pictures_.start_video(video.output, source->time_base());
  detect(
      *source, video.file.filename().string(), source->expected().value_or(0),
      [&](int64_t index) { return frame_output(video.output, index * options_.every); },
      [&](int64_t index) { return source->time(index); });
  pictures_.finish_video(source->end());
  const std::string problem = source->problem();
  if (!problem.empty()) skipped_.push_back(problem);
  notice(fmt::format("{}: looked at {} of its frames", video.name(), done_ - done_before));
  journal_.finish_video(video.name(), {done_ - done_before, problem});
}

}  // namespace

int64_t detect_inputs(const std::vector<DetectionInput>& inputs, const Model& model, BatchDetector& detector,
                      const DetectionRunOptions& options, DetectionJournal& journal, SkippedInputs& skipped) {
  DetectionRun run(model, detector, options, journal, skipped);
  std::vector<DetectionInput> images;  // up to the next video
  const auto detect_waiting_images = [&] {
    if (!images.empty()) run.detect_images(std::exchange(images, {}));
  };
  for (const DetectionInput& input : inputs) {
    if (!input.video) {
      images.push_back(input);
      continue;
    }
    detect_waiting_images();
    if (const FinishedVideo* video = journal.finished_video(input.name())) {
      if (!video->problem.empty()) skipped.push_back(video->problem);
      continue;
    }
    run.detect_video(input);
  }
  detect_waiting_images();
  return run.done();
}

}  // namespace tyto::apps
