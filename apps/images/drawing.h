// Smooth text and lines for the pictures that reports are made of.
#pragma once

#include <opencv2/core.hpp>
#include <string>

namespace tyto::apps {

namespace ink {  // BGR
const cv::Scalar paper(255, 255, 255), black(38, 33, 28), grey(140, 132, 124), faint(232, 228, 224);
const cv::Scalar good(86, 148, 26), bad(58, 58, 208), accent(196, 104, 36);
}  // namespace ink

enum class Align { Left, Centre, Right };

// Text of `height` pixels (capital letters) with its base line at y; x is its left end, middle or right end.
// OpenCV's font has ASCII only: other characters become '?'.
void draw_text(cv::Mat& picture, const std::string& text, double x, double y, double height,
               const cv::Scalar& colour, Align align = Align::Left, bool bold = false);

double text_width(const std::string& text, double height);

// `text` cut to at most `width` pixels, in the middle, by "..".
std::string fit_text(const std::string& text, double height, double width);

}  // namespace tyto::apps
