#include "apps/images/drawing.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace tyto::apps {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kCapitalHeight = 21;  // of Hershey simplex at scale 1, in pixels
constexpr int kOversampling = 4;       // strokes are drawn this much larger and averaged down

// One character for each code point that is not ASCII.
std::string ascii(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      out += c;
    } else if ((byte & 0xC0) != 0x80) {
      out += '?';
    }
  }
  return out;
}

double scale_for(double height) { return height / kCapitalHeight; }

}  // namespace

double text_width(const std::string& text, double height) {
  int base = 0;
  return cv::getTextSize(ascii(text), kFont, scale_for(height) * kOversampling, 1, &base).width /
         static_cast<double>(kOversampling);
}

std::string fit_text(const std::string& text, double height, double width) {
  const std::string plain = ascii(text);
  if (text_width(plain, height) <= width) return plain;
  for (size_t kept = plain.size(); kept > 2; --kept) {
    const std::string cut = plain.substr(0, kept / 2) + ".." + plain.substr(plain.size() - (kept - kept / 2));
    if (text_width(cut, height) <= width) return cut;
  }
  return {};
}

void draw_text(cv::Mat& picture, const std::string& text, double x, double y, double height,
               const cv::Scalar& colour, Align align, bool bold) {
  const std::string plain = ascii(text);
  const double width = text_width(plain, height);
  const double left = align == Align::Left ? x : align == Align::Centre ? x - width / 2 : x - width;
  const int margin = static_cast<int>(std::ceil(height));
  const cv::Rect box =
      cv::Rect(static_cast<int>(std::floor(left)) - margin, static_cast<int>(std::floor(y - height)) - margin,
               static_cast<int>(std::ceil(width)) + 2 * margin + 2, 3 * margin + 2) &
      cv::Rect(0, 0, picture.cols, picture.rows);
  if (box.empty()) return;

  cv::Mat strokes = cv::Mat::zeros(box.size() * kOversampling, CV_8U), tally;
  const int thickness =
      std::max(1, static_cast<int>(std::lround(height * kOversampling * (bold ? 0.17 : 0.11))));
  cv::putText(
      strokes, plain,
      {static_cast<int>((left - box.x) * kOversampling), static_cast<int>((y - box.y) * kOversampling)},
      kFont, scale_for(height) * kOversampling, 255, thickness, cv::LINE_AA);
  cv::resize(strokes, tally, box.size(), 0, 0, cv::INTER_AREA);

  cv::Mat region = picture(box);
  for (int i = 0; i < region.rows; ++i)
    for (int j = 0; j < region.cols; ++j) {
      const int alpha = tally.at<uint8_t>(i, j);
      if (alpha == 0) continue;
      auto& pixel = region.at<cv::Vec3b>(i, j);
      for (int c = 0; c < 3; ++c)
        pixel[c] = cv::saturate_cast<uint8_t>(pixel[c] + (colour[c] - pixel[c]) * alpha / 255.0);
    }
}

}  // namespace tyto::apps
