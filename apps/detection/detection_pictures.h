// The pictures that `tyto detect` makes: annotated images and videos, and the boxes cut out.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/detection/detections_file.h"
#include "apps/images/video_file.h"
#include "tyto/image.h"

namespace tyto::apps {

struct PictureOptions {
  std::filesystem::path annotated, crops;  // folders; empty: none
  float threshold = 0.5f;                  // a box of a lower score is not shown
};

class DetectionPictures {
 public:
  explicit DetectionPictures(PictureOptions options);  // makes the folders; Error{File}

  bool wanted() const { return !options_.annotated.empty() || !options_.crops.empty(); }

  // Of an image, or of a frame between start_video() and finish_video(). output: see DetectionInput; cut-outs
  // are called OUTPUT_00_person.jpg by their place in the list of detections. time: of a frame, see
  // VideoFile. Error{File}.
  void add(const std::string& output, const Image& image, int64_t time,
           const std::vector<NamedDetection>& detections);

  void start_video(const std::string& output, TimeBase unit);  // frames are joined to OUTPUT.mov
  void finish_video(int64_t end);

 private:
  void cut_out(const std::string& output, const cv::Mat& bgr,
               const std::vector<NamedDetection>& detections) const;
  void annotate(const std::string& output, cv::Mat& bgr, int64_t time,
                const std::vector<NamedDetection>& detections);
  bool shown(const NamedDetection& d) const { return d.detection.score >= options_.threshold; }

  const PictureOptions options_;
  std::optional<VideoFile> video_;
};

}  // namespace tyto::apps
