#include "apps/reid/cmc_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <opencv2/imgproc.hpp>
#include <utility>
#include <vector>

#include "apps/images/drawing.h"

namespace tyto::apps {
namespace {

// The chart in its own units; the picture is drawn at twice this size.
constexpr double kWidth = 760, kHeight = 480, kLeft = 68, kRight = 732, kTop = 84, kBottom = 416;
constexpr int kPictureScale = 2;
constexpr int64_t kMaxRank = 50;

struct Tick {
  double at;
  std::string text;
};

struct Chart {
  std::string title, rule;
  std::vector<Tick> x, y;
  std::vector<cv::Point2d> curve;
};

// The lowest multiple of 10 % (of 1 % where the curve is flat) that leaves the curve in view.
double floor_of(double lowest) { return lowest > 0.98 ? 0.95 : std::floor(lowest * 10 - 0.2) / 10; }

Chart chart_of(const Evaluation& e, int64_t trials) {
  Chart chart;
  chart.title = fmt::format("Rank@1 {:.2f} %   mAP {:.2f} %   mINP {:.2f} %", e.rank(1) * 100, e.map * 100,
                            e.minp * 100);
  if (trials > 1) chart.title += fmt::format("   mean of {} trials", trials);
  chart.rule = describe(e.protocol);
  const int64_t ranks = std::clamp<int64_t>(e.gallery, 1, kMaxRank);
  const double low = std::clamp(floor_of(e.rank(1)), 0.0, 0.95);
  const auto x_of = [&](double rank) {
    return ranks == 1 ? kLeft : kLeft + (rank - 1) / static_cast<double>(ranks - 1) * (kRight - kLeft);
  };
  const auto y_of = [&](double value) { return kBottom - (value - low) / (1 - low) * (kBottom - kTop); };
  for (int64_t k = 1; k <= ranks; ++k) {
    chart.curve.emplace_back(x_of(static_cast<double>(k)), y_of(e.rank(k)));
    const int64_t step = ranks <= 10 ? 1 : ranks <= 20 ? 2 : 5;
    if (k == 1 || k % step == 0) chart.x.push_back({x_of(static_cast<double>(k)), fmt::format("{}", k)});
  }
  const double step = low >= 0.9 ? 0.01 : low >= 0.6 ? 0.05 : low >= 0.3 ? 0.1 : 0.2;
  for (double value = low; value < 1 + step / 2; value += step)
    if (value <= 1 + 1e-9) chart.y.push_back({y_of(value), fmt::format("{:.0f} %", value * 100)});
  return chart;
}

cv::Point picture_point(double x, double y) {
  constexpr double kFractions = 16;  // drawing with 4 fractional bits
  return {static_cast<int>(std::lround(x * kPictureScale * kFractions)),
          static_cast<int>(std::lround(y * kPictureScale * kFractions))};
}

void draw_line(cv::Mat& picture, cv::Point2d a, cv::Point2d b, const cv::Scalar& colour, int thickness) {
  constexpr int kFractionBits = 4;
  cv::line(picture, picture_point(a.x, a.y), picture_point(b.x, b.y), colour, thickness, cv::LINE_AA,
           kFractionBits);
}

template <class... Parts>
void add_line(std::string& svg, fmt::format_string<Parts...> format, Parts&&... parts) {
  fmt::format_to(std::back_inserter(svg), format, std::forward<Parts>(parts)...);
  svg += '\n';
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

std::string cmc_svg(const Evaluation& evaluation, int64_t trials) {
  const Chart chart = chart_of(evaluation, trials);
  std::string s;
  add_line(
      s,
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {:.0f} {:.0f}" font-family="system-ui, sans-serif">)",
      kWidth, kHeight);
  s += R"(<style>
  .paper { fill: #fff } text { fill: #1c2126; font-size: 13px } .title { font-size: 17px; font-weight: 600 }
  .rule, .tick { fill: #7c848c } .rule { font-size: 12px } .grid { stroke: #e0e4e8 } .axis { stroke: #7c848c }
  .curve { fill: none; stroke: #2468c4; stroke-width: 2.5; stroke-linejoin: round } .dot { fill: #2468c4 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #15181c } text { fill: #e6e9ec } .grid { stroke: #2b3138 } .curve { stroke: #6ea8fe } .dot { fill: #6ea8fe }
  }
</style>
)";
  add_line(s, R"(<rect class="paper" width="{:.0f}" height="{:.0f}"/>)", kWidth, kHeight);
  add_line(s, R"(<text class="title" x="{:.1f}" y="36" xml:space="preserve">{}</text>)", kLeft,
           escaped(chart.title));
  add_line(s, R"(<text class="rule" x="{:.1f}" y="60">{}</text>)", kLeft, escaped(chart.rule));
  for (const Tick& t : chart.y) {
    add_line(s, R"(<line class="grid" x1="{:.1f}" x2="{:.1f}" y1="{:.2f}" y2="{:.2f}"/>)", kLeft, kRight,
             t.at, t.at);
    add_line(s, R"(<text class="tick" text-anchor="end" x="{:.1f}" y="{:.2f}">{}</text>)", kLeft - 10,
             t.at + 4.5, t.text);
  }
  add_line(s, R"(<line class="axis" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>)", kLeft, kRight,
           kBottom, kBottom);
  for (const Tick& t : chart.x)
    add_line(s, R"(<text class="tick" text-anchor="middle" x="{:.2f}" y="{:.1f}">{}</text>)", t.at,
             kBottom + 20, t.text);
  add_line(s, R"(<text text-anchor="middle" x="{:.1f}" y="{:.1f}">rank</text>)", (kLeft + kRight) / 2,
           kBottom + 46);
  s += R"(<polyline class="curve" points=")";
  for (const cv::Point2d& p : chart.curve) fmt::format_to(std::back_inserter(s), "{:.2f},{:.2f} ", p.x, p.y);
  s += "\"/>\n";
  add_line(s, R"(<circle class="dot" cx="{:.2f}" cy="{:.2f}" r="4"/>)", chart.curve.front().x,
           chart.curve.front().y);
  return s + "</svg>\n";
}

cv::Mat cmc_picture(const Evaluation& evaluation, int64_t trials) {
  const Chart chart = chart_of(evaluation, trials);
  cv::Mat picture(static_cast<int>(kHeight) * kPictureScale, static_cast<int>(kWidth) * kPictureScale,
                  CV_8UC3, ink::paper);
  const auto text = [&](const std::string& what, double x, double y, double height, const cv::Scalar& colour,
                        Align align = Align::Left, bool bold = false) {
    draw_text(picture, what, x * kPictureScale, y * kPictureScale, height * kPictureScale, colour, align,
              bold);
  };
  text(chart.title, kLeft, 36, 11, ink::black, Align::Left, true);
  text(chart.rule, kLeft, 60, 8, ink::grey);
  for (const Tick& t : chart.y) {
    draw_line(picture, {kLeft, t.at}, {kRight, t.at}, ink::faint, 2);
    text(t.text, kLeft - 10, t.at + 4, 8, ink::grey, Align::Right);
  }
  draw_line(picture, {kLeft, kBottom}, {kRight, kBottom}, ink::grey, 2);
  for (const Tick& t : chart.x) text(t.text, t.at, kBottom + 20, 8, ink::grey, Align::Centre);
  text("rank", (kLeft + kRight) / 2, kBottom + 46, 9, ink::black, Align::Centre);
  for (size_t k = 1; k < chart.curve.size(); ++k)
    draw_line(picture, chart.curve[k - 1], chart.curve[k], ink::accent, 5);
  cv::circle(picture, picture_point(chart.curve[0].x, chart.curve[0].y), 8 * 16, ink::accent, cv::FILLED,
             cv::LINE_AA, 4);
  return picture;
}

}  // namespace tyto::apps
