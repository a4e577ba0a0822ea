#include "apps/detection/detection_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "apps/detection/detection_inputs.h"
#include "apps/detection/draw_detections.h"
#include "apps/detection/pixel_box.h"
#include "apps/images/encode.h"
#include "apps/outputs.h"

namespace tyto::apps {
namespace {

constexpr int kCropQuality = 95, kPictureQuality = 90;

std::filesystem::path prepared(const std::filesystem::path& folder, const std::string& file) {
  std::filesystem::path path = folder / file;
  make_folder(path.parent_path());
  return path;
}

}  // namespace

DetectionPictures::DetectionPictures(PictureOptions options) : options_(std::move(options)) {
  for (const auto& folder : {options_.annotated, options_.crops})
    if (!folder.empty()) make_folder(folder);
}

void DetectionPictures::add(const std::string& output, const Image& image, int64_t time,
                            const std::vector<NamedDetection>& detections) {
  cv::Mat bgr = to_bgr(image);
  if (!options_.crops.empty()) cut_out(output, bgr, detections);
  if (!options_.annotated.empty()) annotate(output, bgr, time, detections);
}

void DetectionPictures::cut_out(const std::string& output, const cv::Mat& bgr,
                                const std::vector<NamedDetection>& detections) const {
  for (size_t i = 0; i < detections.size(); ++i) {
    const NamedDetection& d = detections[i];
    const cv::Rect box = pixel_box(d.detection, bgr.cols, bgr.rows);
    if (!shown(d) || box.empty()) continue;
    const std::string file = fmt::format("{}_{:02}_{}.jpg", output, i, safe_file_name(d.name));
    write_jpeg(prepared(options_.crops, file), bgr(box), kCropQuality);
  }
}

void DetectionPictures::annotate(const std::string& output, cv::Mat& bgr, int64_t time,
                                 const std::vector<NamedDetection>& detections) {
  std::vector<NamedDetection> visible;
  std::ranges::copy_if(detections, std::back_inserter(visible), [this](const auto& d) { return shown(d); });
  draw_detections(bgr, visible);
  if (video_)
    video_->add(bgr, time);
  else
    write_jpeg(prepared(options_.annotated, output + ".jpg"), bgr, kPictureQuality);
}

void DetectionPictures::start_video(const std::string& output, TimeBase unit) {
  if (!options_.annotated.empty()) video_.emplace(prepared(options_.annotated, output + ".mov"), unit);
}

void DetectionPictures::finish_video(int64_t end) {
  if (video_) video_->commit(end);
  video_.reset();
}

}  // namespace tyto::apps
