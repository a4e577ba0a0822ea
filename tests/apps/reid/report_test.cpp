#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <sstream>

#include "apps/images/drawing.h"
#include "apps/reid/cmc_picture.h"
#include "apps/reid/evaluation_report.h"
#include "apps/reid/ranking_page.h"
#include "apps/reid/ranking_picture.h"
#include "apps/reid/ranking_report.h"
#include "apps/reid/sample_features.h"
#include "files/file.h"

namespace {

using namespace tyto;
using namespace tyto::apps;

// Two queries against three images, whose files are real: plain colours of different shapes.
class Report : public testing::Test {
 protected:
  Report() : features_(sample_features(2, 3)) {
    const cv::Size shapes[] = {{40, 80}, {200, 100}, {900, 60}};
    for (auto& [kind, set] : features_.sets) {
      set.root = (images_ / std::string(name_of(kind))).string();
      std::filesystem::create_directories(std::filesystem::path(set.root) / "folder");
      for (int64_t i = 0; i < set.rows(); ++i)
        cv::imwrite(set.file(i).string(), cv::Mat(shapes[i], CV_8UC3, cv::Scalar(40.0 * i + 60, 120, 200)));
    }
    queries().ids = {1, 1};
    gallery().ids = {1, 2, -1};
  }
  FeatureSet& queries() { return features_.sets.at(SetKind::Query); }
  FeatureSet& gallery() { return features_.sets.at(SetKind::Gallery); }
  std::vector<Ranking> rankings() { return rank_gallery(queries(), gallery(), 10, CameraRule::None); }

  TestFolder images_, out_;
  Features features_;
};

cv::Vec3b pixel(const RankingPicture& p, size_t image, int dx, int dy) {
  return p.picture.at<cv::Vec3b>(p.images[image].y + dy, p.images[image].x + dx);
}

cv::Vec3b bgr(const cv::Scalar& s) { return cv::Vec3b(s[0], s[1], s[2]); }

TEST_F(Report, PictureHasGreenRedAndGreyBorders) {
  Thumbnails thumbnails("");
  const Ranking ranking = rankings()[0];
  const RankingPicture p = draw_ranking(ranking, queries(), gallery(), thumbnails);
  ASSERT_EQ(p.images.size(), 4u);
  for (size_t i = 0; i < 3; ++i) {
    const auto& correct = ranking.images[i].correct;
    EXPECT_EQ(pixel(p, i + 1, -2, 20), bgr(!correct   ? ink::grey
                                           : *correct ? ink::good
                                                      : ink::bad))
        << "rank " << i + 1;
  }
  EXPECT_EQ(thumbnails.unreadable(), 0);
}

TEST_F(Report, ThumbnailsHaveOneHeightAndBoundedWidths) {
  Thumbnails thumbnails("");
  for (int64_t i = 0; i < 3; ++i) {
    const cv::Mat t = thumbnails.get(gallery(), i);
    EXPECT_EQ(t.rows, kThumbnailHeight);
    EXPECT_GE(t.cols, kThumbnailMinWidth);
    EXPECT_LE(t.cols, kThumbnailMaxWidth);
  }
}

TEST_F(Report, AnUnreadableImageIsAGreyTileAndIsCountedOnce) {
  std::ofstream(gallery().file(0)) << "no image";
  std::filesystem::remove(gallery().file(1));
  const int64_t unreadable = write_ranking_report({out_.path(), "", true, "no rule"}, rankings(), features_);
  EXPECT_EQ(unreadable, 2);
  EXPECT_TRUE(std::filesystem::exists(out_ / "index.html"));
}

TEST_F(Report, MovedImagesAreFoundBelowTheGivenFolder) {
  const TestFolder elsewhere;
  std::filesystem::rename(gallery().root, elsewhere / "gallery");
  std::filesystem::rename(queries().root, elsewhere / "query");
  EXPECT_EQ(write_ranking_report({out_.path(), elsewhere.path(), true, ""}, rankings(), features_), 0);
  EXPECT_EQ(write_ranking_report({out_.path(), "", true, ""}, rankings(), features_), 5);
}

TEST_F(Report, FolderHoldsLinesPicturesAndAPageThatNamesThem) {
  write_ranking_report({out_.path() / "new" / "ranking", "", true, "no rule"}, rankings(), features_);
  std::istringstream lines(read_text(out_ / "new/ranking/ranking.jsonl", 1 << 20));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    EXPECT_EQ(nlohmann::json::parse(line)["query"], queries().paths[static_cast<size_t>(count)]);
  EXPECT_EQ(count, 2);
  const std::string page = read_text(out_ / "new/ranking/index.html", 1 << 20);
  for (const char* picture : {"pictures/1_aa.jpg", "pictures/2_ab.jpg"}) {
    EXPECT_FALSE(cv::imread((out_ / "new/ranking" / picture).string()).empty()) << picture;
    EXPECT_NE(page.find(picture), std::string::npos) << picture;
  }
}

TEST_F(Report, WithoutPicturesNoImageIsOpened) {
  std::filesystem::remove_all(gallery().root);
  EXPECT_EQ(write_ranking_report({out_.path(), "", false, ""}, rankings(), features_), 0);
  EXPECT_FALSE(std::filesystem::exists(out_ / "pictures"));
}

TEST_F(Report, NamesArePageDataNeverMarkup) {
  queries().paths[0] = "</script><script>alert(1)</script>.jpg";
  gallery().paths[0] = "<img src=x onerror=alert(1)>.jpg";
  write_ranking_report({out_.path(), "", true, "<b>"}, rankings(), features_);
  const std::string page = read_text(out_ / "index.html", 1 << 20);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(page.find("<img src=x"), std::string::npos);
  EXPECT_EQ(page.find("{{DATA}}"), std::string::npos);
  const std::string open = "id=\"data\">";
  const size_t begin = page.find(open) + open.size();
  const auto data = nlohmann::json::parse(page.substr(begin, page.find("</script>", begin) - begin));
  EXPECT_EQ(data["queries"][0]["path"], queries().paths[0]);
  EXPECT_EQ(data["queries"].size(), 2u);
}

TEST_F(Report, AFolderThatCannotBeMadeIsNamed) {
  std::ofstream(out_ / "file") << "in the way";
  try {
    write_ranking_report({out_ / "file", "", true, ""}, rankings(), features_);
    FAIL() << "was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::File);
    EXPECT_NE(std::string(e.what()).find((out_ / "file").string()), std::string::npos) << e.what();
  }
}

Evaluation sample_evaluation(const std::vector<double>& cmc) {
  Evaluation e;
  e.protocol = protocol("torchreid");
  e.queries = 10;
  e.valid_queries = 9;
  e.gallery = static_cast<int64_t>(cmc.size());
  e.cmc = cmc;
  e.map = 1.0 / 3;
  e.minp = 0.25;
  return e;
}

TEST(EvaluationReport, NamesItsRulesAndHasFullPrecisionInJson) {
  const Evaluation e = sample_evaluation({0.5, 0.75, 1});
  const std::string text = evaluation_text({{e}, ""});
  for (const char* part :
       {"torchreid: plain AP, mean over valid queries", "10 queries, 9 with a match", "Rank@1    50.00 %",
        "Rank@10  100.00 %", "mAP       33.33 %", "mINP      25.00 %"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  const auto j = nlohmann::json::parse(evaluation_json({{e}, ""}));
  EXPECT_EQ(j["map"].get<double>(), 1.0 / 3);
  EXPECT_EQ(j["cmc"].size(), 3u);
  EXPECT_EQ(j["protocol"], "torchreid");
  EXPECT_EQ(j["ap"], "plain");
  EXPECT_EQ(j["divisor"], "valid");
  EXPECT_EQ(j["cameras"], "baseline");
}

TEST(EvaluationReport, TheCurveIsDrawnWhereItsValuesAre) {
  const TestFolder folder;
  for (const auto& cmc : {std::vector<double>{}, {0.0}, {1.0}, {0, 0, 1}, std::vector<double>(60, 0.97)}) {
    write_evaluation_report({{sample_evaluation(cmc)}, ""}, folder.path());
    const cv::Mat png = cv::imread((folder / "cmc.png").string());
    ASSERT_FALSE(png.empty());
    int blue = 0;
    for (int y = 0; y < png.rows; ++y)
      for (int x = 0; x < png.cols; ++x) blue += png.at<cv::Vec3b>(y, x) == bgr(ink::accent);
    EXPECT_GT(blue, 50) << cmc.size() << " ranks";
    const std::string svg = read_text(folder / "cmc.svg", 1 << 20);
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    EXPECT_EQ(svg.find("inf"), std::string::npos);
  }
}

TEST(Drawing, TextIsCutInItsMiddleToFit) {
  const std::string name = "0002_c1s1_000451_03_of_a_very_long_name.jpg";
  const std::string cut = fit_text(name, 9, 150);
  EXPECT_LE(text_width(cut, 9), 150);
  EXPECT_NE(cut.find(".."), std::string::npos);
  EXPECT_EQ(cut.substr(0, 4), "0002");
  EXPECT_EQ(fit_text("short", 9, 150), "short");
  EXPECT_EQ(fit_text("\xE6\x9D\x8E.jpg", 9, 150), "?.jpg");
}

TEST(Drawing, TextBeyondTheEdgesIsCutOff) {
  cv::Mat picture(20, 30, CV_8UC3, ink::paper);
  for (const cv::Point p : {cv::Point(-50, 5), {25, 18}, {500, 500}, {10, -3}})
    draw_text(picture, "beyond", p.x, p.y, 9, ink::black);
  EXPECT_EQ(picture.size(), cv::Size(30, 20));
}

}  // namespace
