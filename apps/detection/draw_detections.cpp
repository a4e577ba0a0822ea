#include "apps/detection/draw_detections.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "apps/detection/pixel_box.h"
#include "apps/images/drawing.h"

namespace tyto::apps {
namespace {

constexpr double kLine = 2, kLetters = 8, kTagPadding = 4;  // pixels at scale 1
constexpr double kUsualSide = 900;

// BGR; distinct hues on which white letters can be read.
const std::array<cv::Scalar, 10> kPalette = {{{46, 125, 232},
                                              {198, 114, 29},
                                              {74, 147, 38},
                                              {150, 60, 200},
                                              {60, 60, 214},
                                              {148, 136, 20},
                                              {190, 70, 110},
                                              {30, 140, 185},
                                              {205, 85, 75},
                                              {130, 90, 220}}};

const cv::Scalar& colour_of(const Detection& d) {
  return kPalette[static_cast<size_t>(std::max(d.label, 1) - 1) % kPalette.size()];
}

struct Sizes {
  int line;
  double letters, padding;

  explicit Sizes(const cv::Mat& picture) {
    const double scale = std::max(1.0, std::min(picture.cols, picture.rows) / kUsualSide);
    line = static_cast<int>(std::lround(kLine * scale));
    letters = kLetters * scale;
    padding = kTagPadding * scale;
  }
};

// The frame lies inside its box, as four bars: exact, where OpenCV's thick lines are rounded.
void draw_box(cv::Mat& picture, const cv::Rect& box, const cv::Scalar& colour, int line) {
  const int across = std::min(line, box.width), down = std::min(line, box.height);
  for (const cv::Rect& bar :
       {cv::Rect(box.x, box.y, box.width, down), cv::Rect(box.x, box.br().y - down, box.width, down),
        cv::Rect(box.x, box.y, across, box.height), cv::Rect(box.br().x - across, box.y, across, box.height)})
    picture(bar).setTo(colour);
}

// Above the box, or inside at its top where there is no room above.
void draw_tag(cv::Mat& picture, const cv::Rect& box, const NamedDetection& d, const Sizes& sizes) {
  const std::string text = fmt::format("{} {:.0f}%", d.name, d.detection.score * 100);
  const int height = static_cast<int>(std::lround(sizes.letters + 2 * sizes.padding));
  const int width = static_cast<int>(std::lround(text_width(text, sizes.letters) + 2 * sizes.padding));
  const int left = std::clamp(box.x, 0, std::max(0, picture.cols - width));
  const int top = box.y >= height ? box.y - height : box.y;
  const cv::Rect tag = cv::Rect(left, top, width, height) & cv::Rect(0, 0, picture.cols, picture.rows);
  picture(tag).setTo(colour_of(d.detection));
  draw_text(picture, text, left + sizes.padding, top + sizes.padding + sizes.letters, sizes.letters,
            ink::paper);
}

}  // namespace

void draw_detections(cv::Mat& picture, const std::vector<NamedDetection>& detections) {
  const Sizes sizes(picture);
  for (const bool tags : {false, true})  // no line strikes a tag through
    for (auto d = detections.rbegin(); d != detections.rend(); ++d) {
      const cv::Rect box = pixel_box(d->detection, picture.cols, picture.rows);
      if (box.empty()) continue;
      if (tags)
        draw_tag(picture, box, *d, sizes);
      else
        draw_box(picture, box, colour_of(d->detection), sizes.line);
    }
}

}  // namespace tyto::apps
